#pragma once
#include <string>

#include "base/error.h"
#include "comm/communicator.h"

namespace genrec {

/// Calls `part`, this rank's part of work without collectives. When it ended by StoppedEarly on some rank,
/// every rank throws it, so that all leave together. Collective.
template <typename Part>
void leave_together(Communicator& world, Part part) {
  std::string reason;
  try {
    part();
  } catch (const StoppedEarly& stopped) {
    reason = stopped.what();
  }
  if (!world.any(!reason.empty())) return;
  throw StoppedEarly(reason.empty() ? "another rank stopped" : reason);
}

}  // namespace genrec
