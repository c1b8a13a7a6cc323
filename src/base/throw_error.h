#pragma once
#include <string>

#include "base/error.h"

namespace genrec {

/// Throws the type of error that has this code: ranks that learn of a failure elsewhere throw the same one.
[[noreturn]] inline void throw_error(ExitCode code, const std::string& message) {
  switch (code) {
    case ExitCode::kUsage:
      throw UsageError(message);
    case ExitCode::kBadData:
      throw DataError(message);
    case ExitCode::kMissingInput:
      throw MissingInput(message);
    case ExitCode::kInputOutput:
      throw InputOutputError(message);
    case ExitCode::kStoppedEarly:
      throw StoppedEarly(message);
    default:
      throw Error(code, message);
  }
}

}  // namespace genrec
