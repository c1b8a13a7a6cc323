// One step of the trainer against the losses as the papers and the released code write them, differentiated
// by autograd on a copy of the model.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "comm/communicator.h"
#include "tokenizers/rqvae/code_clusters.h"
#include "tokenizers/rqvae/rqvae_streams.h"
#include "tokenizers/rqvae/rqvae_trainer.h"
#include "unit/nn/random_tensors.h"
#include "unit/tokenizers/planted.h"

namespace genrec {
namespace {

/// A multiple of the codes: a balanced assignment splits no row, where rounding would decide.
constexpr std::int64_t kItems = 48;

RqvaeOptions step_options() {
  RqvaeOptions options = options_of_method("letter", test::planted_options());
  options.letter.clusters = 4;
  options.quantization_weight = 2;
  options.sinkhorn_epsilon = 0.003;
  options.batch = kItems;
  options.epochs = 1;
  return options;
}

at::Tensor tensor_of(const Embeddings& table) {
  return at::tensor(at::ArrayRef<float>(table.values)).view({table.rows, table.width});
}

/// A copy of all parameters, as leaves.
class Weights {
 public:
  explicit Weights(const ParameterStore& store) {
    for (std::size_t i = 0; i < store.entries().size(); ++i) {
      leaves_[store.entries()[i].name] = store.value(i).clone().set_requires_grad(true);
    }
  }
  [[nodiscard]] const at::Tensor& operator[](const std::string& name) const { return leaves_.at(name); }
  [[nodiscard]] at::Tensor network(const std::string& name, at::Tensor x) const {
    for (int layer = 0;; ++layer) {
      const std::string prefix = name + "." + std::to_string(layer);
      if (!leaves_.contains(prefix + ".weight")) return x;
      if (layer > 0) x = x.relu();
      x = at::mm(x, leaves_.at(prefix + ".weight").t()) + leaves_.at(prefix + ".bias");
    }
  }
  [[nodiscard]] const std::map<std::string, at::Tensor>& all() const { return leaves_; }

 private:
  std::map<std::string, at::Tensor> leaves_;
};

at::Tensor literal_sinkhorn(const at::Tensor& distances) {
  const at::Tensor d = distances.detach().to(at::kDouble);
  const at::Tensor middle = (d.max() + d.min()) / 2;
  at::Tensor q = ((d - middle) / (d.max() - middle + 1e-5) / -0.003).exp();
  q = q / q.sum();
  for (int i = 0; i < 50; ++i) {
    q = q / (q.sum(1, true) * d.size(0));
    q = q / (q.sum(0, true) * d.size(1));
  }
  return (q * d.size(0)).argmax(1);
}

struct LiteralLoss {
  at::Tensor reconstruction, quantization, collaborative, diversity, total;
};

at::Tensor literal_diversity(const at::Tensor& books, const at::Tensor& codes, const RqvaeOptions& options) {
  std::vector<std::int64_t> items(kItems);
  std::iota(items.begin(), items.end(), std::int64_t{0});
  const CodeClusters clusters(
      cluster_codes(books, options.letter.clusters, clusters_key(options.seed, /*epoch=*/0)), at::kCPU);
  const at::Tensor positives = clusters.positives(
      codes, positive_draws(items, options.levels, positives_key(options.seed, /*epoch=*/0)));
  at::Tensor total = at::zeros({});
  for (std::int64_t level = 0; level < options.levels; ++level) {
    const at::Tensor book = books.select(0, level), own = codes.select(1, level);
    const at::Tensor mask = at::zeros({kItems, options.codes}).scatter_(1, own.unsqueeze(1), -1e12);
    const at::Tensor similarities = at::mm(book.index_select(0, own), book.t()) + mask;
    total = total + at::cross_entropy_loss(similarities, positives.select(1, level));
  }
  return total / options.levels;
}

LiteralLoss literal_loss(const Weights& weights, const at::Tensor& x, const at::Tensor& cf,
                         const RqvaeOptions& options) {
  LiteralLoss loss;
  const at::Tensor& books = weights["quantizer.codebooks"];
  at::Tensor r = weights.network("encoder", x), z_hat = at::zeros_like(r);
  loss.quantization = at::zeros({});
  std::vector<at::Tensor> codes;
  for (std::int64_t level = 0; level < options.levels; ++level) {
    const at::Tensor book = books.select(0, level);
    const at::Tensor distances = (r.unsqueeze(1) - book.unsqueeze(0)).square().sum(2);
    const bool last = level + 1 == options.levels;
    codes.push_back(last ? literal_sinkhorn(distances) : distances.argmin(1));
    const at::Tensor q = book.index_select(0, codes.back());
    loss.quantization = loss.quantization + (q - r.detach()).square().mean() +
                        (q.detach() - r).square().mean() * options.commitment;
    const at::Tensor through = r + (q - r).detach();
    z_hat = z_hat + through;
    r = r - through;
  }
  loss.quantization = loss.quantization / options.levels;
  loss.reconstruction = (weights.network("decoder", z_hat) - x).square().mean();
  loss.collaborative = at::cross_entropy_loss(at::mm(z_hat, cf.t()), at::arange(kItems, at::kLong));
  loss.diversity = literal_diversity(books, at::stack(codes, 1), options);
  loss.total = loss.reconstruction +
               (loss.quantization + loss.diversity * options.letter.beta) * options.quantization_weight +
               loss.collaborative * options.letter.alpha;
  return loss;
}

/// letter.alpha and letter.beta: the rows of LETTER's Table 2, and all of it.
class RqvaeStep : public ::testing::TestWithParam<std::pair<double, double>> {};

TEST_P(RqvaeStep, LossesAndGradientsAreThoseOfTheFormulas) {
  RqvaeOptions options = step_options();
  std::tie(options.letter.alpha, options.letter.beta) = GetParam();
  const Embeddings embeddings = test::planted_embeddings(kItems, kItems, 1),
                   cf = test::planted_embeddings(kItems, 12, 2, options.dim);
  const auto world = make_single_communicator();
  RqvaeModel model(embeddings.width, options, at::kCPU, Precision::kFloat32);
  RqvaeTrainer trainer(model, embeddings, &cf, options, *world);
  model.quantizer().codebooks().copy_(test::normal({options.levels, options.codes, options.dim}, 5) * 0.5);
  trainer.restore(trainer.state());  // these codebooks, not those of k-means
  const Weights weights(model.parameters());
  RqvaeLosses losses;
  RqvaeHooks hooks;
  hooks.on_epoch = [&](const RqvaeEpoch& epoch) {
    EXPECT_EQ(epoch.steps, 1);
    losses = epoch.losses;
  };
  ASSERT_TRUE(trainer.run(hooks));

  const LiteralLoss expected = literal_loss(weights, tensor_of(embeddings), tensor_of(cf), options);
  expected.total.backward();
  EXPECT_NEAR(losses.reconstruction, expected.reconstruction.item<double>(), 1e-5);
  EXPECT_NEAR(losses.quantization, expected.quantization.item<double>(), 1e-5);
  EXPECT_NEAR(losses.collaborative, options.letter.alpha > 0 ? expected.collaborative.item<double>() : 0,
              1e-5);
  EXPECT_NEAR(losses.diversity, options.letter.beta > 0 ? expected.diversity.item<double>() : 0, 1e-5);
  EXPECT_NEAR(losses.total, expected.total.item<double>(), 3e-5);
  // After one step AdamW's first moment is a tenth of the gradient.
  const RqvaeState state = trainer.state();
  for (const auto& [name, leaf] : weights.all()) {
    const auto moment = state.exp_avg.at(name).as<float>();
    const at::Tensor gradient =
        at::tensor(at::ArrayRef<float>(moment.data(), moment.size())).view(leaf.sizes()) * 10;
    const double largest = leaf.grad().abs().max().item<double>();
    EXPECT_GT(largest, 1e-6) << name;
    EXPECT_LT(test::difference(gradient, leaf.grad()), 1e-4 * largest) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Ablations, RqvaeStep,
                         ::testing::Values(std::pair(0.0, 0.0), std::pair(0.3, 0.0), std::pair(0.0, 0.2),
                                           std::pair(0.3, 0.2)));

}  // namespace
}  // namespace genrec
