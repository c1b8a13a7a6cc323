#pragma once
#include <stdexcept>
#include <string>

namespace genrec {

/// Exit codes of the program (sysexits.h where it has one).
enum class ExitCode : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kBadData = 65,
  kMissingInput = 66,
  kInputOutput = 74,
  kStoppedEarly = 75,  ///< a checkpoint was written: the same command goes on
};

/// A failure that a user can act on. The text is one line: what, where (file, line, key), what was expected,
/// and what to do. Every rank may throw; app/main tears the whole world down with code().
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::kUsage, message) {}
};
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(ExitCode::kBadData, message) {}
};
struct MissingInput : Error {
  explicit MissingInput(const std::string& message) : Error(ExitCode::kMissingInput, message) {}
};
struct InputOutputError : Error {
  explicit InputOutputError(const std::string& message) : Error(ExitCode::kInputOutput, message) {}
};
/// Work was stopped by a signal or a time limit after a checkpoint was written.
struct StoppedEarly : Error {
  explicit StoppedEarly(const std::string& message) : Error(ExitCode::kStoppedEarly, message) {}
};

}  // namespace genrec
