#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "comm/communicator.h"
#include "io/files.h"
#include "support.h"
#include "tokenizers/identifier_table.h"
#include "tokenizers/registry.h"

namespace genrec {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class IndexFile : public testing::Test {
 protected:
  std::string failure(const std::string& text, std::int64_t items = 2) {
    std::ofstream(path_) << text;
    try {
      (void)read_index_json(path_, items);
    } catch (const DataError& error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
    return "no error";
  }
  test::TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "X.index.json";
};

TEST_F(IndexFile, WritesALineAnItemAndReadsItBack) {
  const auto table = IdentifierTable::from_strings({{"<a_1>", "<b_2>"}, {"say \"so\"\\"}});
  write_index_json(path_, table);
  EXPECT_EQ(read_text_file(path_), "{\n\"0\": [\"<a_1>\", \"<b_2>\"],\n\"1\": [\"say \\\"so\\\"\\\\\"]\n}\n");
  EXPECT_EQ(read_index_json(path_, 2).sha256(), table.sha256());
}

TEST_F(IndexFile, AllowsCollisionsAndAnyOrder) {
  std::ofstream(path_) << R"({"1": ["a"], "0": ["a"], "2": ["b"]})";
  const auto table = read_index_json(path_, 3);
  EXPECT_EQ(table.collisions(), (std::vector<std::vector<ItemId>>{{0, 1}}));
}

TEST_F(IndexFile, NamesFileAndLineOfWhatIsWrong) {
  EXPECT_EQ(failure("{\"0\": [\"a\"],\n\"1\": [\"b\"]}"), "no error");
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"2\": [\"b\"]}"),
              AllOf(HasSubstr("X.index.json: line 2"), HasSubstr("item \"2\""), HasSubstr("0 to 1")));
  EXPECT_THAT(failure("{\"0\": [\"a\"]}"), HasSubstr("item 1 has no identifier"));
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"1\": []}"), AllOf(HasSubstr("line 2"), HasSubstr("item 1")));
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"1\": [\"a\",\n7]}"),
              AllOf(HasSubstr("line 3"), HasSubstr("symbol 7")));
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"1\": [\"\"]}"), HasSubstr("symbol \"\""));
  EXPECT_THAT(failure("{\"0\": \"a\"}"), HasSubstr("expected a list"));
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"x\\ny\": [\"b\"]}"), HasSubstr("item \"x\\ny\""));
  EXPECT_THAT(failure("{\"0\": [\"a\"],\n\"0\": [\"b\"]}"), AllOf(HasSubstr("line 2"), HasSubstr("twice")));
  EXPECT_THAT(failure("{\"00\": [\"a\"]}"), HasSubstr("item \"00\""));
  EXPECT_THAT(failure("[]"), HasSubstr("expected one object"));
  EXPECT_THAT(failure("{\"0\": [\"a\",\n"), HasSubstr("no valid JSON"));
  EXPECT_THROW((void)read_index_json(folder_.path() / "absent.json", 2), MissingInput);
}

TEST_F(IndexFile, SymbolsHaveNoControlCharacters) {
  for (const char* code : {"\\u0000", "\\u0001", "\\n", "\\u001f", "\\u007f"}) {
    const std::string text = std::string("{\"0\": [\"a\"],\n\"1\": [\"b\",\n\"<c") + code + ">\"]}";
    EXPECT_THAT(failure(text), AllOf(HasSubstr("X.index.json: line 3"), HasSubstr("item 1"),
                                     HasSubstr("control characters")))
        << code;
  }
  EXPECT_EQ(failure(R"({"0": ["a b"], "1": ["日本"]})"), "no error");
}

TEST_F(IndexFile, SaysWhatToGiveInsteadOfAnotherFile) {
  EXPECT_THAT(failure(R"({"0": {"title": "Tea"}})", 1),
              AllOf(HasSubstr("line 1: item 0"), HasSubstr("type object"), HasSubstr("NAME.index.json"),
                    HasSubstr("tokenize")));
  EXPECT_THAT(failure(R"({"0": [3, 4]})", 1), AllOf(HasSubstr("symbol 3"), HasSubstr("NAME.index.json")));
}

TEST_F(IndexFile, TokenizerFollowsTheItemLimit) {
  std::ofstream(path_) << R"({"0": ["a"], "1": ["b"], "2": ["c"]})";
  TokenizerOptions options;
  options.index = path_;
  Dataset dataset;
  dataset.catalogue.titles.resize(2);
  const auto world = make_single_communicator();
  EXPECT_THROW((void)make_item_tokenizer(options)->fit(dataset, *world), DataError);
  dataset.items_before_limit = 3;
  const auto table = make_item_tokenizer(options)->fit(dataset, *world);
  EXPECT_EQ(table.items(), 2);
  EXPECT_EQ(table.symbols(), (std::vector<std::string>{"a", "b"}));
}

TEST(Registry, OptionsOfTheRqvaeFollowTheMethod) {
  TokenizerOptions options;
  options.seed = 7;
  options.rqvae.epochs = 3;
  options.method = "tiger";
  EXPECT_EQ(rqvae_options(options).letter.alpha, 0);
  EXPECT_EQ(rqvae_options(options).init, "kmeans");
  EXPECT_EQ(rqvae_options(options).collision, "sinkhorn");
  options.method = "letter";
  options.collision = "digit";
  EXPECT_GT(rqvae_options(options).letter.alpha, 0);
  EXPECT_EQ(rqvae_options(options).init, "constrained-kmeans");
  EXPECT_EQ(rqvae_options(options).collision, "digit");
  EXPECT_EQ(rqvae_options(options).seed, 7U);
  EXPECT_EQ(rqvae_options(options).epochs, 3);
  options.init = "uniform";
  EXPECT_EQ(rqvae_options(options).init, "uniform");
}

TEST(Registry, AMethodWithoutItsInputIsAnError) {
  TokenizerOptions options;
  for (const char* method : {"tiger", "letter", "sid", "tid"}) {
    options.method = method;
    EXPECT_THROW((void)make_item_tokenizer(options), Error) << method;
  }
}

TEST(Registry, KnowsItsMethods) {
  TokenizerOptions options;
  EXPECT_NE(make_item_tokenizer(options), nullptr);
  options.method = "index";
  EXPECT_THROW((void)make_item_tokenizer(options), MissingInput);
  options.method = "magic";
  EXPECT_THROW((void)make_item_tokenizer(options), UsageError);
}

TEST(RealIndex, LettersTablesCollideAsDocumented) {
  const auto data = test::shared_folder() / "data";
  GENREC_NEEDS(data);
  EXPECT_EQ(read_index_json(data / "beauty" / "Beauty.index.json", 12101).distinct(), 12088);
  EXPECT_EQ(read_index_json(data / "instruments" / "Instruments.index.json", 9922).distinct(), 9897);
  EXPECT_EQ(read_index_json(data / "yelp" / "Yelp.index.json", 20033).distinct(), 19201);
}

}  // namespace
}  // namespace genrec
