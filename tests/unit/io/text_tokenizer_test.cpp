#include "io/text_tokenizer.h"

#include <gmock/gmock.h>

#include <thread>

#include "expect_error.h"
#include "io/files.h"
#include "io/json_file.h"
#include "io/sha256.h"
#include "support.h"

namespace genrec {
namespace {

using test::error_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

Json fixture() {
  return read_json(fs::path(GENREC_SOURCE_DIR) / "tests/unit/io/tokenizer_fixture.json");
}

/// Titles of a made-up shop.
std::vector<std::string> titles() {
  std::vector<std::string> lines;
  const char* colours[] = {"red", "green", "blue", "dark"};
  const char* things[] = {"guitar string", "hair brush", "face cream", "drum stick", "nail polish"};
  for (const char* colour : colours) {
    for (const char* thing : things) {
      for (int i = 0; i < 10; ++i) {
        lines.push_back(std::string(colour) + " " + thing + " number " + std::to_string(i));
      }
    }
  }
  return lines;
}

TEST(TextTokenizer, EqualsHuggingFace) {
  const fs::path spiece = test::shared_folder() / "t5" / "spiece.model";
  GENREC_NEEDS(spiece);
  const Json expected = fixture();
  ASSERT_EQ(sha256_file(spiece), expected["spiece_sha256"]) << "another model than the fixture's";
  const TextTokenizer tokenizer(spiece);
  EXPECT_EQ(tokenizer.size(), expected["size"].get<TokenId>());
  for (const auto& [piece, id] : expected["pieces"].items())
    EXPECT_EQ(tokenizer.piece(id.get<TokenId>()), piece);
  ASSERT_GE(expected["cases"].size(), 75U);
  for (const Json& c : expected["cases"]) {
    const auto text = c["text"].get<std::string>();
    EXPECT_EQ(tokenizer.encode(text), c["ids"].get<std::vector<TokenId>>()) << c["text"].dump(-1, ' ', true);
    EXPECT_EQ(tokenizer.decode(c["ids"].get<std::vector<TokenId>>()), c["decoded"].get<std::string>())
        << c["text"].dump(-1, ' ', true);
  }
}

TEST(TextTokenizer, TrainedOneHasT5sNumbers) {
  const TextTokenizer tokenizer = TextTokenizer::train(titles(), 120, 7);
  EXPECT_LE(tokenizer.size(), 220);
  EXPECT_EQ(tokenizer.piece(kPadToken), "<pad>");
  EXPECT_EQ(tokenizer.piece(kEndToken), "</s>");
  EXPECT_EQ(tokenizer.piece(kUnknownToken), "<unk>");
  EXPECT_EQ(tokenizer.piece(tokenizer.size() - 1), "<extra_id_0>");
  EXPECT_EQ(tokenizer.piece(tokenizer.size() - 100), "<extra_id_99>");
  EXPECT_THAT(tokenizer.encode("<extra_id_0> </s>"), ElementsAre(tokenizer.size() - 1, kEndToken));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("  blue face\tcream ")), "blue face cream");
  EXPECT_LT(tokenizer.encode("blue drum stick").size(), 15U) << "some pieces are longer than letters";
  EXPECT_THAT(tokenizer.encode("\xe6\x97\xa5"), ::testing::Contains(kUnknownToken));
  EXPECT_THAT(tokenizer.encode(" "), IsEmpty());
}

TEST(TextTokenizer, TrainingIsDeterministicAndQuiet) {
  testing::internal::CaptureStderr();
  const TextTokenizer one = TextTokenizer::train(titles(), 100, 7);
  const TextTokenizer two = TextTokenizer::train(titles(), 100, 7);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(one.model_bytes(), two.model_bytes());
}

TEST(TextTokenizer, ASmallTextGivesFewerPieces) {
  const TextTokenizer tokenizer = TextTokenizer::train({"ab ab", "b a"}, 8000, 1);
  EXPECT_LT(tokenizer.size(), 200);
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("ab a")), "ab a");
}

TEST(TextTokenizer, NoTextToTrainOn) {
  EXPECT_THAT(error_of<DataError>([] { (void)TextTokenizer::train({}, 100, 1); }), HasSubstr("text.spiece"));
  EXPECT_THAT(error_of<DataError>([] {
                (void)TextTokenizer::train({"", " \t"}, 100, 1);
              }),
              HasSubstr("text.spiece"));
  EXPECT_THAT(error_of<DataError>([] { (void)TextTokenizer::train(titles(), 5, 1); }), HasSubstr("5 pieces"));
}

TEST(TextTokenizer, BytesMakeTheSameTokenizer) {
  const test::TemporaryFolder folder;
  const TextTokenizer trained = TextTokenizer::train(titles(), 100, 7);
  const TextTokenizer again = TextTokenizer::from_bytes(trained.model_bytes());
  write_file_atomically(folder.path() / "spiece.model", trained.model_bytes());
  const TextTokenizer read(folder.path() / "spiece.model");
  for (const std::string& title : titles()) {
    EXPECT_EQ(again.encode(title), trained.encode(title));
    EXPECT_EQ(read.encode(title), trained.encode(title));
  }
  EXPECT_EQ(read.model_bytes(), trained.model_bytes());
}

TEST(TextTokenizer, BadModels) {
  const test::TemporaryFolder folder;
  const fs::path path = folder.path() / "spiece.model";
  EXPECT_THAT(error_of<MissingInput>([&] { const TextTokenizer tokenizer(path); }),
              HasSubstr("spiece.model"));
  const std::string good = TextTokenizer::train(titles(), 100, 7).model_bytes();
  for (const std::string& bad :
       {std::string("not a model at all"), std::string(), good.substr(0, good.size() / 2)}) {
    write_file_atomically(path, bad);
    EXPECT_THAT(error_of<DataError>([&] { const TextTokenizer tokenizer(path); }), HasSubstr(path.string()));
  }
}

TEST(TextTokenizer, NumbersOutsideTheVocabulary) {
  const TextTokenizer tokenizer = TextTokenizer::train(titles(), 100, 7);
  EXPECT_THAT(error_of<DataError>([&] { (void)tokenizer.piece(tokenizer.size()); }),
              HasSubstr("no text token"));
  EXPECT_THAT(error_of<DataError>([&] { (void)tokenizer.decode({-1}); }), HasSubstr("no text token"));
}

TEST(TextTokenizer, BytesThatAreNotUtf8) {
  const TextTokenizer tokenizer = TextTokenizer::train(titles(), 100, 7);
  const char* const bad[] = {"red\xff", "red\xc3", "red\xed\xa0\x80 x", "\xf5\x80 red", "\xe2\x96"};
  const char* const repaired[] = {"red\ufffd", "red\ufffd", "red\ufffd\ufffd\ufffd x", "\ufffd\ufffd red",
                                  "\ufffd"};
  for (std::size_t i = 0; i < std::size(bad); ++i)
    EXPECT_EQ(tokenizer.encode(bad[i]), tokenizer.encode(repaired[i]));
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("red\xff drum")), "red drum");
}

TEST(TextTokenizer, ManyThreads) {
  const TextTokenizer tokenizer = TextTokenizer::train(titles(), 100, 7);
  std::vector<std::vector<TokenId>> expected;
  for (const std::string& title : titles()) expected.push_back(tokenizer.encode(title));
  std::vector<std::thread> threads;
  std::vector<int> differences(4, 0);
  for (std::size_t t = 0; t < differences.size(); ++t) {
    threads.emplace_back([&, t] {
      const auto lines = titles();
      for (std::size_t i = 0; i < lines.size(); ++i)
        differences[t] += tokenizer.encode(lines[i]) != expected[i];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(differences, ::testing::Each(0));
}

}  // namespace
}  // namespace genrec
