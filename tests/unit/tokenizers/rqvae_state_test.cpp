#include "tokenizers/rqvae/rqvae_state.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "support.h"
#include "tokenizers/rqvae/rqvae_tokenizer.h"
#include "unit/tokenizers/planted.h"
#include "unit/tokenizers/rqvae_training.h"

namespace genrec {
namespace {

using test::planted_embeddings;
using test::planted_options;
using Training = test::RqvaeTraining;

TEST(RqvaeScore, FewerCollisionsThenLowerLoss) {
  const RqvaeScore none, a{1, 0.1, 5}, b{2, 0.1, 4}, c{3, 0.05, 9};
  EXPECT_TRUE(a.is_better_than(none));
  EXPECT_TRUE(b.is_better_than(a));
  EXPECT_FALSE(a.is_better_than(b));
  EXPECT_TRUE(c.is_better_than(b));
  EXPECT_FALSE(a.is_better_than(a));
}

TEST(RqvaeState, OfOtherWidthsOrEmbeddingsIsAnError) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  Training t(embeddings, nullptr, options);
  ASSERT_TRUE(t.trainer.run());
  const RqvaeState state = t.trainer.state();
  RqvaeOptions other = options;
  other.codes = 8;
  EXPECT_THROW((void)restored_model(state, embeddings.width, other), DataError);
  EXPECT_THROW((void)restored_model(state, embeddings.width + 1, options), DataError);
  const auto model = restored_model(state, embeddings.width, options);
  EXPECT_TRUE(at::equal(model->quantizer().codebooks(), t.model.quantizer().codebooks()));
  Training of_others(planted_embeddings(60, 6, 99), nullptr, options);
  EXPECT_THROW(of_others.trainer.restore(state), DataError);
}

TEST(RqvaeState, OfOtherCollaborativeVectorsIsAnError) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  const Embeddings cf = planted_embeddings(60, 6, 2, 4), other_cf = planted_embeddings(60, 6, 3, 4);
  RqvaeOptions options = options_of_method("letter", planted_options());
  options.letter = {.alpha = 0.1, .beta = 0.01, .clusters = 4};
  options.epochs = 1;
  Training t(embeddings, &cf, options);
  ASSERT_TRUE(t.trainer.run());
  const RqvaeState state = t.trainer.state();
  EXPECT_EQ(state.cf_sha256, cf.provenance.sha256);
  Training same(embeddings, &cf, options), other(embeddings, &other_cf, options);
  EXPECT_NO_THROW(same.trainer.restore(state));
  EXPECT_THROW(other.trainer.restore(state), DataError);
  options.letter.alpha = 0;
  Training without(embeddings, nullptr, options);
  EXPECT_THROW(without.trainer.restore(state), DataError);
}

TEST(RqvaeState, CodebooksLieInTheFileByLevel) {
  const Embeddings embeddings = planted_embeddings(60, 6, 1);
  RqvaeOptions options = planted_options();
  options.epochs = 1;
  Training t(embeddings, nullptr, options);
  ASSERT_TRUE(t.trainer.run());
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "tokenizer.h5";
  {
    Hdf5Writer file(path);
    write_rqvae(file, "/tokenizer", t.trainer.state(), /*training=*/false);
    file.commit();
  }
  const Hdf5Reader file(path);
  EXPECT_EQ(file.shape("/tokenizer/codebooks/2"), (std::vector<std::int64_t>{16, 4}));
  EXPECT_FALSE(file.has("/tokenizer/training"));
  EXPECT_EQ(file.text_attribute("/tokenizer", "cf_sha256"), "");
  const auto model = restored_model(read_rqvae(file, "/tokenizer"), embeddings.width, options);
  EXPECT_TRUE(at::equal(model->parameters().flat_values(), t.model.parameters().flat_values()));
}

}  // namespace
}  // namespace genrec
