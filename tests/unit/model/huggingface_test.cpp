#include "model/huggingface.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/error.h"
#include "io/safetensors.h"
#include "support.h"

namespace genrec {
namespace {

std::filesystem::path fixture(const char* name) {
  return std::filesystem::path(GENREC_SOURCE_DIR) / "tests" / "parity" / "fixtures" / name;
}

std::unique_ptr<T5Model> load(const std::filesystem::path& folder) {
  return load_huggingface(folder, at::kCPU, Precision::kFloat32);
}

/// The message of the DataError that loading these tensors gives.
std::string failure(T5Model& model, const std::map<std::string, HostArray>& tensors) {
  try {
    load_weights(model, tensors, "here", 0);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(HuggingFace, SavedFolderLoadsToTheSameModel) {
  for (const char* name : {"relu-tied", "gated-gelu-untied"}) {
    const auto model = load(fixture(name));
    const test::TemporaryFolder folder;
    save_huggingface(*model, folder.path() / "saved");
    const auto again = load(folder.path() / "saved");
    EXPECT_TRUE(at::equal(model->parameters().flat_values(), again->parameters().flat_values()));
    EXPECT_EQ(model->config().to_json(), again->config().to_json());
  }
}

TEST(HuggingFace, TiedCopiesAreAcceptedWhenEqual) {
  const auto model = load(fixture("relu-tied"));
  auto tensors = weights_to_host(*model);
  tensors["encoder.embed_tokens.weight"] = tensors["lm_head.weight"] = tensors.at("shared.weight");
  EXPECT_EQ(failure(*model, tensors), "no error");
  tensors["lm_head.weight"].bytes[3] ^= std::byte{1};
  EXPECT_NE(failure(*model, tensors).find("lm_head.weight"), std::string::npos);
}

TEST(HuggingFace, FaultsNameTheTensor) {
  const auto model = load(fixture("gated-gelu-tied"));
  const auto whole = weights_to_host(*model);
  auto tensors = whole;
  tensors.erase("decoder.block.1.layer.2.layer_norm.weight");
  EXPECT_NE(failure(*model, tensors).find("decoder.block.1.layer.2.layer_norm.weight\" is missing"),
            std::string::npos);
  tensors = whole;
  tensors["stranger"] = whole.at("shared.weight");
  EXPECT_NE(failure(*model, tensors).find("unknown tensor \"stranger\""), std::string::npos);
  tensors = whole;
  tensors.at("encoder.final_layer_norm.weight") = whole.at("shared.weight");
  EXPECT_NE(failure(*model, tensors).find("has shape [48, 16]; expected [16]"), std::string::npos);
  tensors = whole;
  std::vector<float> norm(16, 1.0F);
  norm[5] = std::nanf("");
  tensors.at("encoder.final_layer_norm.weight") = HostArray::of<float>(std::span<const float>(norm), {16});
  EXPECT_NE(
      failure(*model, tensors).find("encoder.final_layer_norm.weight\" holds values that are not finite"),
      std::string::npos);
}

TEST(HuggingFace, ShorterEmbeddingsGrow) {
  const auto model = load(fixture("relu-untied"));
  T5Config config = model->config();
  config.vocab_size = 60;
  T5Model larger(config, at::kCPU, Precision::kFloat32);
  load_weights(larger, weights_to_host(*model), "here", 9);
  const auto grown = grow_vocabulary(*model, 60, 9);
  EXPECT_TRUE(at::equal(larger.parameters().flat_values(), grown->parameters().flat_values()));
}

TEST(HuggingFace, TokensBehindTheTextAreNewWhateverTheFileHolds) {
  const auto file = load(fixture("gated-gelu-untied"));  // 48 rows, of which 40 shall be text
  const auto tensors = weights_to_host(*file);
  const auto load_text = [&](std::int64_t vocabulary, std::uint64_t seed) {
    T5Config config = file->config();
    config.vocab_size = vocabulary;
    auto model = std::make_unique<T5Model>(config, at::kCPU, Precision::kFloat32);
    load_weights(*model, tensors, "here", seed, KnownRows{.text = 40});
    return model;
  };
  for (const std::int64_t vocabulary : {60, 44}) {  // more rows than the file, and fewer
    const auto model = load_text(vocabulary, 9), other = load_text(vocabulary, 10);
    for (const char* name : {"shared.weight", "lm_head.weight"}) {
      const auto value = [&](const T5Model& m) { return m.parameters().value(m.parameters().index(name)); };
      const at::Tensor before = value(*file), after = value(*model);
      EXPECT_TRUE(at::equal(after.narrow(0, 0, 40), before.narrow(0, 0, 40))) << name;
      for (std::int64_t row = 40; row < vocabulary; ++row) {
        const at::Tensor away = (after[row] - before.mean(0)) / before.std(0, false);
        EXPECT_LT(away.abs().max().item<float>(), 0.02F * 6) << name << " " << row;
        EXPECT_FALSE(at::equal(after[row], value(*other)[row])) << name << " " << row;
      }
    }
  }
  // A checkpoint keeps all its rows, and a larger file is another model's.
  T5Config config = file->config();
  config.vocab_size = 44;
  T5Model smaller(config, at::kCPU, Precision::kFloat32);
  EXPECT_NE(failure(smaller, tensors).find("has shape [48, "), std::string::npos);
}

TEST(HuggingFace, KnownSymbolsKeepTheirRows) {
  const auto file = load(fixture("gated-gelu-untied"));
  const auto tensors = weights_to_host(*file);
  T5Config config = file->config();
  config.vocab_size = 50;
  T5Model model(config, at::kCPU, Precision::kFloat32);
  load_weights(model, tensors, "here", 9, KnownRows{.text = 40, .symbols = {{47, 41}, {40, 49}}});
  for (const char* name : {"shared.weight", "lm_head.weight"}) {
    const auto value = [&](const T5Model& m) { return m.parameters().value(m.parameters().index(name)); };
    EXPECT_TRUE(at::equal(value(model)[41], value(*file)[47])) << name;
    EXPECT_TRUE(at::equal(value(model)[49], value(*file)[40])) << name;
    EXPECT_FALSE(at::equal(value(model)[42], value(*file)[42])) << name;
  }
  EXPECT_THROW(load_weights(model, tensors, "here", 9, KnownRows{.text = 40, .symbols = {{48, 41}}}),
               DataError);
}

TEST(T5Config, ReadsWhatItWrites) {
  for (const char* name : {"tiny", "tiger", "t5-small", "flan-t5-small"}) {
    const test::TemporaryFolder folder;
    const T5Config config = T5Config::preset(name);
    std::ofstream(folder.path() / "config.json") << config.to_json();
    EXPECT_EQ(T5Config::from_file(folder.path() / "config.json").to_json(), config.to_json()) << name;
  }
  EXPECT_THROW((void)T5Config::preset("large"), UsageError);
}

TEST(T5Config, FaultsNameFileAndKey) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "config.json";
  const auto message = [&](const char* text) {
    std::ofstream(file) << text;
    try {
      (void)T5Config::from_file(file);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message(R"({"feed_forward_proj": "silu"})").find("feed_forward_proj"), std::string::npos);
  EXPECT_NE(message(R"({"model_type": "bert"})").find("model_type"), std::string::npos);
  EXPECT_NE(message(R"({"d_model": "wide"})").find("d_model"), std::string::npos);
  EXPECT_NE(message(R"({"num_heads": 0})").find("num_heads"), std::string::npos);
  EXPECT_NE(message(R"({"relative_attention_num_buckets": 3})").find("num_buckets"), std::string::npos);
  EXPECT_NE(message(R"({"relative_attention_max_distance": 16})").find("max_distance"), std::string::npos);
  EXPECT_EQ(message(R"({"relative_attention_max_distance": 17})"), "no error");
  EXPECT_THROW((void)T5Config::from_file(folder.path() / "absent.json"), MissingInput);
}

}  // namespace
}  // namespace genrec
