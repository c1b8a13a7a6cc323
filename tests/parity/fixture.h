#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/hdf5.h"
#include "model/t5_model.h"

namespace genrec::parity {

/// The largest absolute difference of every compared quantity.
class Errors {
 public:
  void note(const std::string& what, double ours, double theirs);
  /// A difference that is no number (another sequence, another count).
  void fail(const std::string& what, const std::string& why);
  /// Prints one line a quantity; true when all are within the limit.
  [[nodiscard]] bool report(const std::string& title, double limit) const;

 private:
  std::map<std::string, double> largest_;
  std::map<std::string, std::string> failures_;
};

/// The batch of one variant's group, packed.
struct Fixture {
  Seq2SeqBatch batch;
  std::vector<std::int64_t> source_lengths, target_lengths;
  std::int64_t source_width = 0, target_width = 0;  ///< of the padded arrays
};
[[nodiscard]] Fixture read_fixture(const Hdf5Reader& file, const std::string& group);

/// Constrained beam searches of one variant.
void compare_beams(const Hdf5Reader& file, const std::string& group, const T5Model& model,
                   const Fixture& fixture, Errors& errors);

}  // namespace genrec::parity
