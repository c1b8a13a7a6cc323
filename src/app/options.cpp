#include "app/options.h"

#include <filesystem>

#include "tokenizers/registry.h"

namespace genrec {
namespace {

namespace fs = std::filesystem;

void add_run(OptionParser& parser, RunOptions& o) {
  OptionSection run = parser.section("run", "The run");
  run.add("dir", &o.dir, "run folder; empty: runs/COMMAND-DATASET");
  run.add("seed", &o.seed, "root of every random stream");
  run.add("device", &o.device, "where to compute").allowed({"auto", "cpu", "cuda"});
  run.add("precision", &o.precision, "of matrix products; weights and sums stay f32")
      .allowed({"f32", "bf16"});
  run.add("comm", &o.comm, "transport of gradients").allowed({"auto", "mpi", "nccl"});
  run.add("threads", &o.threads, "CPU threads of a rank; 0: the node's cores over its ranks").at_least(0);
  run.add("resume", &o.resume, "go on from the run folder's checkpoint").allowed({"auto", "never", "must"});
  run.add("max-minutes", &o.max_minutes, "stop with a checkpoint and exit code 75; 0: never", "minutes")
      .range(0, 1e7);
  run.add("checkpoint-minutes", &o.checkpoint_minutes, "time between checkpoints; 0: only between stages",
          "minutes")
      .at_least(0);
  run.add("keep", &o.keep, "checkpoints kept beside last, prev and best").at_least(0);
  run.add("progress", &o.progress, "bar on a terminal, else lines").allowed({"auto", "bar", "line", "none"});
  run.add("dry-run", &o.dry_run, "check the data, estimate memory and time, do nothing");
}

void add_data(OptionParser& parser, DataOptions& o) {
  OptionSection data = parser.section("data", "The dataset (none named: a synthetic one)");
  data.add("dir", &o.dir, "folder with NAME.inter.json, NAME.item.json, NAME.index.json");
  data.add("name", &o.name, "NAME in that folder; empty: the only one there");
  data.add("file", &o.file, "the program's own HDF5 dataset (see convert)");
  data.add("history", &o.history, "most recent items that predict the next", "items").at_least(1);
  data.add("text", &o.text, "what stands for an item in text (for embed: embed.text)")
      .allowed({"title", "title+description"});
  data.add("max-users", &o.max_users, "keep the first users only; 0: all").at_least(0);
  data.add("max-items", &o.max_items, "keep the first items only; 0: all").at_least(0);
  data.add("shards", &o.shards,
           "virtual shards that users are dealt to; with fewer than ranks some ranks have no users")
      .range(1, 65536);
}

void add_text(OptionParser& parser, TextOptions& o) {
  OptionSection text = parser.section("text", "Text");
  text.add("spiece", &o.spiece,
           "SentencePiece model, needed with model.weights; empty: a small one is trained on titles and "
           "templates");
  text.add("max-pieces", &o.max_pieces, "titles are cut there", "pieces").at_least(1);
  text.add("templates", &o.templates,
           "file with one template, {H} in it, a line; empty: 15 built in; none: identifiers only; a "
           "checkpoint has its own");
}

void add_rqvae(OptionSection tokenizer, RqvaeOptions& o) {
  tokenizer.add("levels", &o.levels, "codes of an identifier").range(1, 20);
  tokenizer.add("codes", &o.codes, "of a codebook").range(2, 8192);
  tokenizer.add("dim", &o.dim, "width of a code").at_least(1);
  tokenizer.add("hidden", &o.hidden, "widths of the encoder's hidden layers, mirrored in the decoder")
      .at_least(1);
  tokenizer.add("dropout", &o.dropout, "probability").range(0, 0.99);
  tokenizer.add("commitment", &o.commitment, "weight of the term that pulls residuals to codes").at_least(0);
  tokenizer.add("quantization-weight", &o.quantization_weight, "weight of the quantisation loss").at_least(0);
  tokenizer.add("gradient", &o.gradient, "code: straight-through at every level; paper: residuals of codes")
      .allowed({"code", "paper"});
  tokenizer.add("sinkhorn-epsilon", &o.sinkhorn_epsilon, "of the last level; 0: the nearest code")
      .at_least(0);
  tokenizer.add("sinkhorn-iterations", &o.sinkhorn_iterations, "of one assignment").at_least(1);
  tokenizer.add("kmeans-iterations", &o.kmeans_iterations, "at most, of the codebooks' start").at_least(1);
  tokenizer
      .add("restart-every", &o.restart_every,
           "between restarts of codes without items, from what other items left; 0: none", "epochs")
      .at_least(0);
  tokenizer.add("epochs", &o.epochs, "of tiger and letter").at_least(0);
  tokenizer.add("batch", &o.batch, "of all ranks together", "items").at_least(1);
  tokenizer.add("lr", &o.lr, "learning rate").above(0);
  tokenizer.add("schedule", &o.schedule, "of the learning rate")
      .allowed({"constant", "linear", "cosine", "inverse-sqrt"});
  tokenizer.add("warmup", &o.warmup, "below 1: fraction of the steps, else steps").at_least(0);
  tokenizer.add("weight-decay", &o.weight_decay, "decoupled, on all parameters").at_least(0);
  tokenizer.add("clip", &o.clip, "largest gradient norm; 0: no clipping").at_least(0);
  tokenizer.add("eval-every", &o.eval_every, "epochs between measurements of collisions; 0: only at the end")
      .at_least(0);
  tokenizer.add("keep-best", &o.keep_best,
                "the weights of fewest collisions, then of lowest loss (LETTER's rule); else the last");
  tokenizer.add("reassign-rounds", &o.reassign_rounds, "at most, of collision = sinkhorn").at_least(0);
  tokenizer.add("warn-used-share", &o.warn_used_share, "warns of a level that uses fewer of its codes")
      .range(0, 1);
}

void add_tokenizer(OptionParser& parser, ProgramOptions& options) {
  TokenizerOptions& o = options.tokenizer;
  OptionSection tokenizer = parser.section("tokenizer", "First identifiers");
  tokenizer.add("method", &o.method, "auto: index where the dataset has one, else cid")
      .allowed({"auto", "cid", "tiger", "letter", "index", "iid", "sid", "tid", "random"});
  tokenizer.add("index", &o.index, "index.json, or HDF5 file with identifiers; empty: the dataset's own");
  tokenizer.add(
      "embeddings", &options.vectors.embeddings,
      "HDF5 file for tiger and letter; empty: the dataset's NAME.embeddings.h5, else LSA of the texts");
  tokenizer
      .add("text", &options.vectors.text,
           "what LSA reads of an item, to make embeddings for tiger and letter")
      .allowed({"title", "title+description"});
  tokenizer.add("new-items", &options.vectors.new_items,
                "tokenize: embeddings of unseen items, for the tokenizer in run.dir");
  tokenizer
      .add("collision", &o.collision,
           "items that share codes; auto: sinkhorn for tiger and letter, none for tid and random")
      .allowed({"auto", "sinkhorn", "digit", "none"});
  tokenizer
      .add("init", &o.init, "codebooks at the start; auto: kmeans for tiger, constrained-kmeans for letter")
      .allowed({"auto", "kmeans", "constrained-kmeans", "uniform"});
  add_rqvae(tokenizer, o.rqvae);
  OptionSection letter = parser.section("letter", "LETTER's losses on top of tiger's");
  letter.add("alpha", &o.rqvae.letter.alpha, "weight of the collaborative loss").at_least(0);
  letter.add("beta", &o.rqvae.letter.beta, "weight of the diversity loss").at_least(0);
  letter.add("clusters", &o.rqvae.letter.clusters, "that the codes of a level are cut into").at_least(1);
  letter.add("recluster-every", &o.rqvae.letter.recluster_every, "between two such clusterings", "epochs")
      .at_least(1);
  letter.add("cf", &options.vectors.cf,
             "HDF5 file with collaborative vectors of width tokenizer.dim; empty: the dataset's NAME.cf.h5");
  OptionSection cid = parser.section("cid", "CID: spectral clustering of co-occurrence");
  cid.add("token-size", &o.cid.token_size, "tokens of the vocabulary, and the largest leaf").at_least(2);
  cid.add("clusters", &o.cid.clusters, "parts of a split").at_least(2);
}

void add_cf_training(OptionSection section, CfTrainOptions& o, const std::string& sample) {
  section.add("epochs", &o.epochs, "at most").at_least(0);
  section.add("batch", &o.batch, "of all ranks together", sample).at_least(1);
  section.add("lr", &o.lr, "learning rate").above(0);
  section.add("weight-decay", &o.weight_decay, "decoupled").at_least(0);
  section.add("eval-every", &o.eval_every, "epochs between validations").at_least(1);
  section.add("patience", &o.patience, "validations without a better one before training stops; 0: never")
      .at_least(0);
}

void add_embed(OptionParser& parser, EmbedOptions& o) {
  OptionSection embed = parser.section("embed", "Vectors of items");
  embed
      .add("model", &o.model, "sasrec and lightgcn: collaborative; lsa, and t5 (model.weights): of the texts")
      .allowed({"sasrec", "lightgcn", "lsa", "t5"});
  embed.add("width", &o.width, "of the vectors; 0: 32 for sasrec and lightgcn, 384 for lsa; t5 has its own")
      .at_least(0);
  embed.add("text", &o.text, "what lsa and t5 read of an item").allowed({"title", "title+description"});
  embed.add("output", &o.output, "FILE.h5; empty: NAME.cf.h5 or NAME.embeddings.h5 in the run folder");
  embed.add("quantized", &o.quantized,
            "a tokenizer.h5: sasrec is also tested with its code vectors in place of the items");
  embed
      .add("norm", &o.norm,
           "mean norm that vectors of sasrec and lightgcn are scaled to, by one factor; 0: as trained")
      .at_least(0);
  embed
      .add("exclude-history", &o.exclude_history,
           "items of the user's history are not ranked; auto: yes for lightgcn")
      .allowed({"auto", "yes", "no"});
  OptionSection sasrec = parser.section("sasrec", "SASRec");
  sasrec.add("layers", &o.sasrec.layers, "of self-attention").at_least(1);
  sasrec.add("heads", &o.sasrec.heads, "of a layer; a divisor of the width").at_least(1);
  sasrec.add("inner", &o.sasrec.inner, "width of the feed-forward networks").at_least(1);
  sasrec.add("dropout", &o.sasrec.dropout, "probability, on embeddings and sublayers").range(0, 0.99);
  sasrec.add("attention-dropout", &o.sasrec.attention_dropout, "probability, on attention weights")
      .range(0, 0.99);
  sasrec.add("history", &o.sasrec.history, "most recent items that are read", "items").at_least(1);
  sasrec.add("loss", &o.sasrec_loss, "over all items, or the paper's with one sampled negative")
      .allowed({"cross-entropy", "binary"});
  sasrec.add("pre-norm", &o.sasrec.pre_norm, "norms before the sublayers, as in the paper; else after them");
  sasrec.add("positions-from-end", &o.sasrec.positions_from_end,
             "position embeddings counted from a history's end, as in the paper; else from its begin");
  sasrec.add("initial-std", &o.sasrec.initial_std, "standard deviation of first weights").above(0);
  add_cf_training(sasrec, o.sasrec.train, "users");
  OptionSection lightgcn = parser.section("lightgcn", "LightGCN");
  lightgcn.add("layers", &o.lightgcn.layers, "of propagation").at_least(0);
  lightgcn.add("loss", &o.lightgcn_loss, "the paper's with one sampled negative, or softmax over all items")
      .allowed({"bpr", "softmax"});
  lightgcn.add("l2", &o.lightgcn.l2, "weight of the squares of a sample's embeddings").at_least(0);
  lightgcn.add("tau", &o.lightgcn.tau, "temperature of the softmax loss").above(0);
  lightgcn.add("initial-std", &o.lightgcn.initial_std, "standard deviation of first embeddings").above(0);
  add_cf_training(lightgcn, o.lightgcn.train, "interactions");
}

void add_model(OptionParser& parser, ModelOptions& o) {
  OptionSection model = parser.section("model", "The T5");
  model.add("preset", &o.preset, "size").allowed({"tiny", "tiger", "t5-small", "flan-t5-small"});
  model.add("config", &o.config, "Hugging Face config.json instead of a preset");
  model.add("weights", &o.weights, "Hugging Face folder or safetensors file to start from; empty: random");
  model.add("vocabulary", &o.vocabulary, "codes: no text, so no alignment and no prompts")
      .allowed({"text+codes", "codes"});
}

void add_train(OptionParser& parser, TrainOptions& o) {
  OptionSection train = parser.section("train", "Training");
  train.add("epochs", &o.epochs, "of the train command (siit has its own)").at_least(0);
  train.add("max-steps", &o.max_steps, "of a stage; 0: by epochs").at_least(0);
  train.add("batch", &o.batch, "of all ranks together", "samples").at_least(1);
  train.add("lr", &o.lr, "learning rate").above(0);
  train.add("scale-parameter", &o.scale_parameter,
            "lr times each parameter's root mean square: random weights learn faster with lr 1e-2");
  train.add("schedule", &o.schedule, "of the learning rate")
      .allowed({"constant", "linear", "cosine", "inverse-sqrt"});
  train.add("warmup", &o.warmup, "below 1: fraction of a stage's steps, else steps").at_least(0);
  train.add("weight-decay", &o.weight_decay, "decoupled; not on norms and position biases").at_least(0);
  train.add("clip", &o.clip, "largest gradient norm; 0: no clipping").at_least(0);
  train.add("dropout", &o.dropout, "probability").range(0, 0.99);
  train.add("tau", &o.tau, "temperature of the ranking-guided loss; 1: cross entropy").above(0);
  train
      .add("patience", &o.patience,
           "evaluations without a better validation score before train stops; 0: never")
      .at_least(0);
  train
      .add("eval-every", &o.eval_every, "epochs between validations of the train command; 0: only at the end")
      .at_least(0);
  train
      .add("microbatch-tokens", &o.microbatch_tokens,
           "source and target tokens computed at once by a rank: bounds memory", "tokens")
      .at_least(0);
  train.add("hash-every", &o.hash_every, "steps between comparisons of the parameters over ranks; 0: never")
      .at_least(0);
}

void add_siit(OptionParser& parser, SiitOptions& o) {
  OptionSection siit = parser.section("siit", "Self-improving item tokenization");
  siit.add("iterations", &o.iterations, "rounds of alignment, regeneration and fine-tuning").range(0, 1000);
  siit.add("warmup-epochs", &o.warmup_epochs, "recommendation before the first iteration").at_least(0);
  siit.add("align-epochs", &o.align_epochs, "titles ↔ identifiers, an iteration").at_least(0);
  siit.add("finetune-epochs", &o.finetune_epochs, "recommendation on the new identifiers, an iteration")
      .at_least(0);
  siit.add("candidates", &o.candidates, "identifiers that an item may choose from").range(1, 1000);
  siit.add("strategy", &o.strategy, "generation, and collision avoidance (ca)")
      .allowed({"beam+ca", "beam", "greedy+ca", "greedy"});
  siit.add("order", &o.order, "who chooses first").allowed({"id", "confidence"});
  siit.add("continue-from", &o.continue_from, "the model that fine-tuning goes on with")
      .allowed({"recommender", "aligned"});
  siit.add("stop-before", &o.stop_before,
           "stage to stop before with a checkpoint, to try variants from one point")
      .allowed({"", "align", "regenerate", "fine-tune", "test"});
}

void add_decode_and_eval(OptionParser& parser, ProgramOptions& o) {
  OptionSection decode = parser.section("decode", "Decoding");
  decode.add("beams", &o.decode.beams, "width of the beam search").range(1, 1000);
  decode.add("batch", &o.decode.batch, "users, or items, that one thread decodes together").range(1, 100000);
  decode.add("score", &o.decode.score, "log-probability per token, or their sum").allowed({"mean", "sum"});
  OptionSection eval = parser.section("eval", "Evaluation");
  eval.add("k", &o.eval.k, "cut-offs of Recall, NDCG and coverage").range(1, 1000);
  eval.add("split", &o.eval.split, "of the evaluate command").allowed({"valid", "test"});
  eval.add("users", &o.eval.users, "a seeded sample of users; 0: all").at_least(0);
  eval.add("baselines", &o.eval.baselines, "measured beside").allowed({"popularity", "none"});
}

void add_estimate(OptionParser& parser, EstimateOptions& o) {
  OptionSection estimate = parser.section("estimate", "Estimates of a dry run for other machines");
  estimate.add("ranks", &o.ranks, "\"8,64,512\": a line each; empty: none").range(1, 1000000);
  estimate.add("items", &o.items, "of the catalogue; 0: the dataset's").at_least(0);
  estimate.add("users", &o.users, "with histories like the dataset's; 0: the dataset's").at_least(0);
  estimate.add("tflops", &o.tflops, "that a rank reaches in training; 0: as measured here", "TFLOP/s")
      .at_least(0);
  estimate.add("gbyte-per-s", &o.gbyte_per_s, "of a rank's link; 0: as measured, else 12.5", "GB/s")
      .at_least(0);
  estimate.add("latency-us", &o.latency_us, "of a message; 0: as measured, else 10", "microseconds")
      .at_least(0);
}

void add_single_calls(OptionParser& parser, ProgramOptions& o) {
  OptionSection recommend = parser.section("recommend", "The recommend command");
  recommend.add("users", &o.recommend.users, "user ids, \"0,5,7\"; empty: all");
  recommend.add("output", &o.recommend.output,
                "FILE.jsonl, FILE.csv or FILE.h5; empty: JSON lines on standard output");
  OptionSection call = parser.section("", "This call");
  call.add("help", &o.help, "options and defaults");
  call.add("version", &o.version, "versions of the program and its libraries");
  call.add("dry-run", &o.run.dry_run, "the same as --run.dry-run");
  call.add("verify", &o.verify, "inspect: test every checksum");
  call.add("diff", &o.diff, "inspect: compare two files, --diff A B");
  call.add("from", &o.from, "convert: a dataset folder, FILE.h5, checkpoint or Hugging Face folder");
  call.add("to", &o.to, "convert: FILE.h5 or a folder to write; inspect: FILE.json");
  call.add("wait-for-debugger", &o.wait_for_debugger, "rank that waits until a debugger releases it")
      .hidden();
}

}  // namespace

void add_options(OptionParser& parser, ProgramOptions& options) {
  add_run(parser, options.run);
  add_data(parser, options.data);
  add_text(parser, options.text);
  add_tokenizer(parser, options);
  add_embed(parser, options.embed);
  add_model(parser, options.model);
  add_train(parser, options.train);
  add_siit(parser, options.siit);
  add_decode_and_eval(parser, options);
  add_estimate(parser, options.estimate);
  add_single_calls(parser, options);
}

void complete_options(const OptionParser& parser, ProgramOptions& options) {
  const fs::path folder = options.model.weights;
  if (folder.empty()) return;
  const fs::path config = folder / "config.json", spiece = folder / "spiece.model";
  if (!parser.is_set("model.config") && !parser.is_set("model.preset") && fs::exists(config))
    options.model.config = config.string();
  if (!parser.is_set("text.spiece") && fs::exists(spiece)) options.text.spiece = spiece.string();
}

}  // namespace genrec
