#pragma once
#include <cstdint>
#include <string>

namespace genrec {

struct SiitOptions {
  std::int32_t iterations = 3;                ///< R; the best is chosen on validation
  std::int64_t warmup_epochs = 20;            ///< recommendation before the first iteration (SIIT 4.1.4)
  std::int64_t align_epochs = 20;             ///< item → identifier and identifier → item, an iteration
  std::int64_t finetune_epochs = 10;          ///< recommendation on the new identifiers, an iteration
  std::int32_t candidates = 20;               ///< k of the beam search that regenerates identifiers
  std::string strategy = "beam+ca";           ///< beam+ca|beam|greedy+ca|greedy (Table 3)
  std::string order = "id";                   ///< id|confidence: who chooses first
  std::string continue_from = "recommender";  ///< recommender|aligned: what fine-tuning goes on with
  std::string stop_before;  ///< stage name: stop there with a checkpoint (to try variants from one point)
};

}  // namespace genrec
