#pragma once
#include <gmock/gmock.h>

#include <string>

#include "base/error.h"

namespace genrec::test {

/// Runs `call` and returns its error's text; "" and a failed test when it throws nothing or another class.
template <typename Expected, typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Expected& error) {
    const std::string text = error.what();
    EXPECT_EQ(text.find('\n'), text.npos) << "more than one line: " << text;
    return text;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no exception";
  return "";
}

}  // namespace genrec::test
