#include "app/workspace.h"
#include "base/error.h"
#include "eval/popularity.h"
#include "eval/user_sample.h"
#include "training/tasks.h"

namespace genrec {

RankingOptions ranking_options(const ProgramOptions& options, const Runtime& runtime) {
  return {.beams = {options.decode.beams, score_rule(options.decode)},
          .block = options.decode.batch,
          .threads = runtime.threads,
          .seed = options.run.seed};
}

EvaluationReport evaluate_split(Session& session, const Workspace& workspace, const Runtime& runtime,
                                Progress& progress, const T5Model& model, const TokenizedItems& items,
                                Split split, const std::function<bool()>& should_stop) {
  const ProgramOptions& o = session.options;
  const PrefixTrie trie(items);
  const RecommendationTask task(workspace.dataset().interactions, items, workspace.prompts(), o.data.history,
                                o.run.seed);
  EvaluatorOptions options{.ranking = ranking_options(o, runtime),
                           .ks = {o.eval.k.begin(), o.eval.k.end()},
                           .users = o.eval.users};
  const auto mine = sampled_users(workspace.dataset(), split, o.eval.users, o.run.seed).size();
  const std::string name = split == Split::kTest ? "test" : "validation";
  progress.start(name, static_cast<std::int64_t>(mine), "users");
  EvaluationReport evaluation = evaluate(
      model, trie, workspace.dataset(), split,
      [&](Sample sample, PackedSequences& sources) {
        task.append_source(sample, evaluation_round(split), sources);
      },
      options, session.mpi.world(),
      [&](std::int64_t done) {
        progress.update(done);
        if (should_stop && should_stop())
          throw StoppedEarly("stopped in " + name + " with a checkpoint: the same command goes on");
      });
  progress.finish();
  return evaluation;
}

Metrics evaluate_popularity(Session& session, const Workspace& workspace, Split split) {
  const ProgramOptions& o = session.options;
  const std::vector<std::int32_t> ks(o.eval.k.begin(), o.eval.k.end());
  return popularity_baseline(workspace.dataset(), split, ks, o.eval.users, o.run.seed, session.mpi.world());
}

}  // namespace genrec
