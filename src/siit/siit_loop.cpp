#include "siit/siit_loop.h"

#include <cstdio>
#include <utility>

#include "base/error.h"
#include "base/log.h"
#include "base/random.h"
#include "base/stopwatch.h"
#include "comm/on_root.h"
#include "model/huggingface.h"
#include "siit/adjustment.h"
#include "siit/candidate_arrays.h"
#include "siit/regeneration.h"
#include "tokenizers/symbols.h"
#include "training/broadcaster.h"
#include "training/checkpoint_model.h"

namespace genrec {
namespace {

std::string stopped_in(const std::string& place) {
  return "stopped in " + place + " with a checkpoint: the same command goes on";
}

/// The one candidate of an item that has no title to regenerate from: the identifier it has, without the
/// symbols of collision avoidance.
Hypothesis present_identifier(std::span<const TokenId> tokens, const Vocabulary& vocabulary) {
  Hypothesis present;
  for (const TokenId token : tokens) {
    if (symbol_family(vocabulary.symbol(token)) != kAvoidanceFamily) present.tokens.push_back(token);
  }
  return present;
}

}  // namespace

SiitLoop::SiitLoop(SiitContext context, std::unique_ptr<T5Model> recommender, Vocabulary vocabulary,
                   IdentifierTable initial)
    : context_(std::move(context)), recommender_(std::move(recommender)), vocabulary_(std::move(vocabulary)) {
  set_table(std::move(initial));
  IterationRecord& first = record();
  first.collision_rate = first.collision_rate_final = table().collision_rate();
}

SiitLoop::SiitLoop(SiitContext context, std::unique_ptr<T5Model> recommender, CheckpointState state)
    : context_(std::move(context)),
      recommender_(std::move(recommender)),
      vocabulary_(Vocabulary::restore(state.text_pieces, std::move(state.vocabulary))),
      tables_(std::move(state.history)),
      items_(std::make_unique<TokenizedItems>(tables_.back(), vocabulary_)),
      state_(siit_state_from_json(Json::parse(state.loop))),
      global_step_(state.step - state.position.stage_step),
      resume_position_(state.position),
      resume_optimizer_(std::move(state.optimizer)),
      regenerated_(state.regenerated),
      resume_candidates_(std::move(state.candidates)) {
  if (!state.aligned.empty()) {
    aligned_ = std::make_unique<T5Model>(recommender_->config(), recommender_->parameters().device(),
                                         recommender_->parameters().precision());
    load_weights(*aligned_, state.aligned, "checkpoint", context_.seed);
  }
}

SiitLoop::~SiitLoop() = default;

IterationRecord& SiitLoop::record() {
  if (state_.records.empty() || state_.records.back().iteration != state_.iteration) {
    state_.records.emplace_back().iteration = state_.iteration;
  }
  return state_.records.back();
}

const IdentifierTable& SiitLoop::selected_table() const {
  return tables_[static_cast<std::size_t>(std::max(0, state_.best_iteration))];
}

void SiitLoop::set_table(IdentifierTable table) {
  tables_.push_back(std::move(table));
  items_ = std::make_unique<TokenizedItems>(tables_.back(), vocabulary_);
  IterationRecord& r = record();
  r.identifiers_sha256 = tables_.back().sha256();
  r.semantic_identifier_similarity = context_.similarity(tables_.back());
  context_.on_table(state_.iteration, tables_.back());
}

CheckpointState SiitLoop::snapshot(const Trainer* trainer) const {
  CheckpointState s = context_.identity;
  s.step = global_step_ + (trainer != nullptr ? trainer->position().stage_step : 0);
  s.stage = stage_name(state_.stage);
  s.iteration = state_.iteration;
  s.loop = to_json(state_).dump();
  if (trainer != nullptr) s.position = trainer->position();
  if (!context_.world.is_root()) return s;  // the root writes; the others' weights are the same
  s.model_config = recommender_->config().to_json();
  s.model = weights_to_host(*recommender_);
  if (aligned_) s.aligned = weights_to_host(*aligned_);
  if (trainer != nullptr) s.optimizer = trainer->optimizer_state();
  s.regenerated = regenerated_;
  s.candidates = assigner_ ? candidate_arrays(*assigner_) : resume_candidates_;
  s.vocabulary = vocabulary_.symbols();
  s.identifiers = table();
  s.history = tables_;
  return s;
}

void SiitLoop::advance(SiitStage stage, int iteration) {
  state_.stage = stage;
  state_.iteration = iteration;
  resume_position_ = {};
  resume_optimizer_.reset();
  context_.checkpoints.save(snapshot(nullptr));
}

void SiitLoop::train_stage(const std::string& name, std::int64_t epochs, std::uint64_t stage_id,
                           T5Model& model, BatchSource& source, double StageSeconds::*spent) {
  Stopwatch watch;
  TrainStage stage{name, epochs, stream_key(context_.seed, Purpose::kDropout, {stage_id})};
  Trainer trainer(model, source, context_.train, stage, context_.world, context_.device_sums);
  if (resume_optimizer_) trainer.restore(resume_position_, *resume_optimizer_);
  resume_optimizer_.reset();  // twice the weights' memory
  context_.progress.start(name, trainer.total_steps(), "steps", trainer.position().stage_step);

  std::int64_t counted = 0;
  const auto account = [&] {
    record().seconds.*spent += watch.lap();
    if (&model == recommender_.get()) state_.trained_samples += trainer.throughput().samples - counted;
    counted = trainer.throughput().samples;
  };
  TrainHooks hooks;
  hooks.should_stop = context_.should_stop;
  hooks.checkpoint_due = context_.checkpoint_due;
  hooks.save = [&] {
    account();
    context_.checkpoints.save(snapshot(&trainer));
  };
  hooks.on_step = [&](const StepReport& report) {
    char text[64];
    std::snprintf(text, sizeof(text), "loss %.4f  %.0f samples/s", report.loss, report.samples_per_s);
    context_.progress.update(report.position.stage_step, text);
    context_.on_step(report, global_step_ + report.position.stage_step, state_.iteration, name);
  };
  const TrainEnd end = trainer.train(hooks);
  context_.progress.finish();
  if (end == TrainEnd::kStopped) {
    throw StoppedEarly(stopped_in(name + ", step " + std::to_string(trainer.position().stage_step) + " of " +
                                  std::to_string(trainer.total_steps())));
  }
  account();
  // Validation takes long, too: what was trained is safe before it, and a stop finds a checkpoint.
  const bool trained = trainer.position() != resume_position_ || !context_.checkpoints.holds_run();
  if (&model == recommender_.get() && trained) context_.checkpoints.save(snapshot(&trainer));
  global_step_ += trainer.position().stage_step;
}

std::int64_t SiitLoop::epochs_done() const {
  return context_.siit.warmup_epochs + state_.iteration * context_.siit.finetune_epochs;
}

void SiitLoop::train_recommender(const std::string& stage, std::int64_t epochs, std::int64_t first_epoch) {
  const RecommendationTask task(context_.interactions, *items_, context_.prompts, context_.history,
                                context_.seed);
  RecommendationSource source(context_.order, task, first_epoch);
  const auto stage_id = static_cast<std::uint64_t>(2 * state_.iteration);
  train_stage(stage, epochs, stage_id, *recommender_, source, &StageSeconds::train);
  validate();
}

SplitMetrics SiitLoop::evaluate(Split split) {
  const SplitMetrics evaluation = context_.evaluate(*recommender_, *items_, split);
  state_.decoded_users += evaluation.users;
  state_.decoding_seconds += evaluation.seconds;
  return evaluation;
}

void SiitLoop::validate() {
  Stopwatch watch;
  const SplitMetrics evaluation = evaluate(Split::kValid);
  IterationRecord& r = record();
  r.valid = evaluation.by_item;
  r.seconds.evaluate += watch.lap();
  const double score = selection_score(r.valid);
  const bool best = score > state_.best_score;
  if (best) {
    state_.best_score = score;
    state_.best_iteration = state_.iteration;
  }
  context_.on_iteration(r, global_step_, epochs_done(), best);
  const int finished = state_.iteration;
  const bool more = finished < context_.siit.iterations;
  advance(more ? SiitStage::kAlign : SiitStage::kTest, more ? finished + 1 : finished);
  if (best) context_.checkpoints.mark_best();
}

void SiitLoop::align() {
  const AlignmentTask task(*context_.titles, *items_, context_.prompts);
  const std::int64_t epochs = context_.siit.align_epochs;
  AlignmentSource source(task, context_.world.rank(), context_.world.size(), context_.train.batch,
                         context_.seed, (state_.iteration - 1) * epochs);
  if (!aligned_) aligned_ = grow_vocabulary(*recommender_, recommender_->config().vocab_size, context_.seed);
  const std::string name = "align " + std::to_string(state_.iteration);
  train_stage(name, epochs, static_cast<std::uint64_t>(2 * state_.iteration - 1), *aligned_, source,
              &StageSeconds::align);
  advance(SiitStage::kRegenerate, state_.iteration);
}

void SiitLoop::collect_candidates(const AlignmentTask& task) {
  Stopwatch watch;
  const TokenAutomaton automaton = regeneration_automaton(tables_.front(), vocabulary_);
  const bool beam = context_.siit.strategy.starts_with("beam");
  const RegenerationOptions options{beam ? context_.siit.candidates : 1, context_.block, context_.threads,
                                    context_.score};
  const std::int64_t items = table().items(), ranks = context_.world.size();

  on_root(context_.world, [&] {
    assigner_ = std::make_unique<IdentifierAssigner>(
        items, AssignerOptions{.avoid_collisions = context_.siit.strategy.ends_with("+ca"),
                               .by_confidence = context_.siit.order == "confidence"});
    add_candidates(std::exchange(resume_candidates_, {}), regenerated_, *assigner_);
  });
  const auto collect = [&](ItemId item, std::span<const Hypothesis> candidates) {
    if (!context_.titles->of(item).empty()) {
      assigner_->add(candidates);
    } else {
      const Hypothesis present = present_identifier(items_->of(item), vocabulary_);
      assigner_->add(std::span(&present, 1));
    }
  };
  std::int64_t saved = regenerated_;
  const auto save = [&] {
    if (regenerated_ == saved) return;
    record().seconds.regenerate += watch.lap();
    context_.checkpoints.save(snapshot(nullptr));
    saved = regenerated_;
  };
  if (regenerated_ > 0) LOG_ROOT(INFO) << "regeneration goes on at item " << regenerated_ << " of " << items;
  context_.progress.start("regenerate " + std::to_string(state_.iteration), items, "items", regenerated_);
  RoundLength length(options);
  while (regenerated_ < items) {
    const Stopwatch of_round;
    const Range round{regenerated_, std::min(items, regenerated_ + length.items(context_.world))};
    try {
      regenerate_identifiers(
          *aligned_, [&](ItemId item, PackedSequences& sources) { task.append_item_prompt(item, sources); },
          automaton, round, options, context_.world, collect,
          [&](std::int64_t mine) {
            context_.progress.update(std::min(round.end, round.begin + mine * ranks));
            if (context_.should_stop && context_.should_stop())
              throw StoppedEarly(stopped_in("regeneration"));
          });
    } catch (const StoppedEarly&) {
      context_.progress.update(regenerated_);
      context_.progress.finish();
      save();  // the rounds before
      throw;
    }
    regenerated_ = round.end;
    length.adapt(of_round.seconds());
    context_.progress.update(regenerated_);
    const bool due = context_.world.is_root() && context_.checkpoint_due && context_.checkpoint_due();
    if (context_.world.any(due) && regenerated_ < items) save();
  }
  context_.progress.finish();
  record().seconds.regenerate += watch.lap();
}

void SiitLoop::regenerate() {
  const AlignmentTask task(*context_.titles, *items_, context_.prompts);
  collect_candidates(task);

  Stopwatch watch;
  std::vector<double> rates(2);
  IdentifierTable next;
  if (assigner_) {
    const Assignment assignment = assigner_->finish();
    next = assigned_table(assignment, vocabulary_);
    rates = {assignment.collision_rate, assignment.overflow_rate};
    assigner_.reset();
  }
  regenerated_ = 0;
  context_.world.broadcast(rates, 0);
  Broadcaster(context_.world)(next);
  context_.world.require_equal(next.sha256(), "the new identifier table");

  IterationRecord& r = record();
  r.collision_rate = rates[0];
  r.overflow_rate = rates[1];
  r.collision_rate_final = next.collision_rate();
  r.adjustment_ratio = adjustment_ratio(table(), next);
  if (context_.siit.continue_from == "aligned") recommender_ = std::move(aligned_);
  aligned_.reset();
  if (vocabulary_.add(next.symbols()) > 0) {
    recommender_ = grow_vocabulary(*recommender_, vocabulary_.size(),
                                   stream_key(context_.seed, Purpose::kVocabularyGrowth,
                                              {static_cast<std::uint64_t>(state_.iteration)}));
  }
  set_table(std::move(next));
  record().seconds.assign += watch.lap();
  if (task.untitled() > 0) {
    LOG_ROOT(WARNING) << task.untitled()
                      << " items have no title: they kept their identifiers as far as these were free";
  }
  LOG_ROOT(INFO) << "iteration " << state_.iteration << ": collisions " << r.collision_rate
                 << " before avoidance, " << r.collision_rate_final << " after; overflow " << r.overflow_rate
                 << "; changed " << r.adjustment_ratio;
  advance(SiitStage::kFinetune, state_.iteration);
}

void SiitLoop::test() {
  if (state_.best_iteration != state_.iteration) {
    const CheckpointState best = context_.checkpoints.load("best");
    if (const int iteration = siit_state_from_json(Json::parse(best.loop)).best_iteration;
        iteration != state_.best_iteration) {
      throw DataError("checkpoints/best is of iteration " + std::to_string(iteration) + "; expected " +
                      std::to_string(state_.best_iteration) +
                      ", the best one of checkpoints/last: start anew in another run.dir");
    }
    const auto chosen = static_cast<std::size_t>(state_.best_iteration);
    vocabulary_ = Vocabulary::restore(best.text_pieces, best.vocabulary);
    recommender_ = model_from_checkpoint(best, recommender_->parameters().device(),
                                         recommender_->parameters().precision());
    items_ = std::make_unique<TokenizedItems>(tables_[chosen], vocabulary_);
  }
  const SplitMetrics evaluation = evaluate(Split::kTest);
  state_.test = evaluation.by_item;
  state_.test_by_identifier = evaluation.by_identifier;
  tables_.resize(static_cast<std::size_t>(state_.best_iteration) + 1);
  state_.stage = SiitStage::kDone;
  context_.checkpoints.save(snapshot(nullptr));
}

bool SiitLoop::stop_agreed() {
  return context_.world.any(context_.should_stop && context_.should_stop());
}

void SiitLoop::renew_best_link() {
  const bool at_stage_start = resume_position_ == TrainPosition{};
  const bool best_is_last =
      (state_.stage == SiitStage::kAlign && state_.best_iteration == state_.iteration - 1) ||
      (state_.stage == SiitStage::kTest && state_.best_iteration == state_.iteration);
  if (at_stage_start && best_is_last) context_.checkpoints.mark_best();
}

const SiitState& SiitLoop::run() {
  renew_best_link();
  const SiitOptions& o = context_.siit;
  while (state_.stage != SiitStage::kDone) {
    if (o.stop_before == stage_name(state_.stage)) {
      return state_;
    }
    if (state_.stage != SiitStage::kWarmup && stop_agreed())
      throw StoppedEarly(stopped_in(std::string("front of ") + stage_name(state_.stage)));
    switch (state_.stage) {
      case SiitStage::kWarmup:
        train_recommender("warm-up", o.warmup_epochs, 0);
        break;
      case SiitStage::kAlign:
        align();
        break;
      case SiitStage::kRegenerate:
        regenerate();
        break;
      case SiitStage::kFinetune:
        train_recommender("fine-tune " + std::to_string(state_.iteration), o.finetune_epochs,
                          epochs_done() - o.finetune_epochs);
        break;
      case SiitStage::kTest:
        test();
        break;
      case SiitStage::kDone:
        break;
    }
  }
  return state_;
}

}  // namespace genrec
