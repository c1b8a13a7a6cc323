#pragma once
#include <cstdint>

namespace genrec {

/// How far a stage of training has come. `step` = steps_per_epoch says that the epoch's steps are done but
/// not yet what follows an epoch (validation).
struct TrainPosition {
  std::int64_t epoch = 0;
  std::int64_t step = 0;        ///< within the epoch
  std::int64_t stage_step = 0;  ///< optimiser steps since the stage began: what the schedule counts
  bool operator==(const TrainPosition&) const = default;
};

}  // namespace genrec
