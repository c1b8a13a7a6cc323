#pragma once
#include <cstdint>
#include <string>

#include "base/throw_error.h"
#include "comm/communicator.h"

namespace genrec {

/// Calls `work` on the root. When it throws an Error there, every rank throws one of that type: all leave
/// alike. Collective.
template <typename Work>
void on_root(Communicator& world, Work work) {
  std::string message;
  std::int64_t code = 0;
  if (world.is_root()) {
    try {
      work();
    } catch (const Error& error) {
      message = error.what();
      code = static_cast<std::int64_t>(error.code());
    }
  }
  code = world.max(code);
  if (code == 0) return;
  world.broadcast(message, 0);
  throw_error(static_cast<ExitCode>(code), message);
}

}  // namespace genrec
