#include "io/json_file.h"

#include <gmock/gmock.h>

#include <chrono>

#include "expect_error.h"
#include "io/files.h"
#include "support.h"

namespace genrec {
namespace {

using test::error_of;
using ::testing::HasSubstr;

class JsonFile : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& text) const {
    write_file_atomically(folder_.path() / "x.json", text);
    return folder_.path() / "x.json";
  }
  test::TemporaryFolder folder_;
};

TEST_F(JsonFile, RoundTripKeepsTheOrderOfKeys) {
  const Json value = {
      {"z", 1}, {"a", {1.5, -2, "ä\n\"", nullptr, true}}, {"m", Json::object()}, {"e", Json::array()}};
  write_json(folder_.path() / "x.json", value);
  EXPECT_EQ(read_json(folder_.path() / "x.json"), value);
  EXPECT_EQ(read_json(folder_.path() / "x.json").dump(), value.dump());
  EXPECT_THAT(read_text_file(folder_.path() / "x.json"), ::testing::StartsWith("{\n  \"z\": 1,"));
  EXPECT_THAT(read_text_file(folder_.path() / "x.json"), ::testing::EndsWith("}\n"));
}

TEST_F(JsonFile, ReadsTheLibrarysOwnWay) {
  for (const char* text :
       {"[]", "{}", " 12 ", "\"x\"", "null", "[[[{\"a\":[{}]}],1e3,-0.5,18446744073709551615]]",
        "{\"a\":{\"b\":[1,{\"c\":null}]},\"d\":false}", "\xef\xbb\xbf{\"bom\": 1}"}) {
    EXPECT_EQ(read_json(file(text)), Json::parse(text)) << text;
  }
}

TEST_F(JsonFile, ErrorsNameThePlace) {
  const struct {
    const char* text;
    const char* place;
  } cases[] = {
      {"{\n  \"a\": 1,\n  \"b\": nul\n}", "line 3, column 11"},
      {"{\"a\": [1, 2}", "line 1, column 12"},
      {"", "line 1, column 1"},
      {"{\"a\": 1}\n\nx", "line 3, column 1"},
      {"{\"a\": \"\xff\"}", "line 1, column 8"},
      {"[1,\n2,\n", "line 3, column 1"},
      {"{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", "line 3, column 4"},
  };
  for (const auto& c : cases) {
    const std::string error = error_of<DataError>([&] { (void)read_json(file(c.text)); });
    EXPECT_THAT(error, HasSubstr("x.json: " + std::string(c.place))) << c.text;
  }
  EXPECT_THAT(error_of<DataError>([&] { (void)read_json(file("{\"k\": 1, \"k\": 2}")); }),
              HasSubstr("\"k\" occurs twice"));
  // error_of wants one line, whatever a key holds.
  EXPECT_THAT(error_of<DataError>([&] { (void)read_json(file("{\"a\\nb\": 1, \"a\\nb\": 2}")); }),
              HasSubstr("\"a\\nb\" occurs twice"));
  EXPECT_THAT(error_of<MissingInput>([&] { (void)read_json(folder_.path() / "absent.json"); }),
              HasSubstr("absent.json"));
}

TEST_F(JsonFile, LineOfAValue) {
  const auto path =
      file("{\n  \"0\": [1,\n    2],\n\n  \"a/b\": {\"~\": 5}, \"1\": [\n  3, {\"x\": 4\n}]\n}");
  EXPECT_EQ(json_line(path, "/0"), 2);
  EXPECT_EQ(json_line(path, "/0/1"), 3);
  EXPECT_EQ(json_line(path, "/a~1b/~0"), 5);
  EXPECT_EQ(json_line(path, "/1/1/x"), 6);
  EXPECT_EQ(json_line(path, "/nothing"), 1);
  EXPECT_EQ(json_step("a/b"), "/a~1b");
  EXPECT_EQ(json_step("~"), "/~0");
  EXPECT_EQ(json_line(path, json_step("a/b") + json_step("~")), 5);
}

TEST_F(JsonFile, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(error_of<DataError>([&] {
                write_json(folder_.path() / "y.json", Json{{"a", "\xff"}});
              }),
              HasSubstr("y.json"));
}

TEST_F(JsonFile, LargeObjectsTakeLinearTime) {
  std::string text = "{";
  for (int i = 0; i < 300000; ++i) text += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":[1,2]";
  const auto path = file(text + "}");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(read_json(path).size(), 300000U);
  // A search through the earlier keys for each new one takes minutes.
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 20.0);
}

}  // namespace
}  // namespace genrec
