#include <iostream>

#include "app/session.h"
#include "app/version.h"
#include "base/error.h"
#include "base/nearest.h"

namespace genrec {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      {"siit",
       "self-improving item tokenization, start to test (the default)",
       "",
       {"run", "data", "text", "tokenizer", "model", "train", "siit", "decode", "eval"},
       run_siit},
      {"train",
       "one recommender on fixed identifiers",
       "",
       {"run", "data", "text", "tokenizer", "model", "train", "decode", "eval"},
       run_train},
      {"tokenize", "items → identifiers", "", {"run", "data", "tokenizer"}, run_tokenize},
      {"evaluate",
       "metrics of a checkpoint on valid or test",
       "[CHECKPOINT]",
       {"run", "data", "text", "decode", "eval"},
       run_evaluate},
      {"recommend",
       "top-K items of given users, or of all",
       "[CHECKPOINT]",
       {"run", "data", "text", "decode", "eval", "recommend"},
       run_recommend},
      {"inspect",
       "what a checkpoint, identifier table or dataset holds",
       "FILE | --diff A B",
       {"data"},
       run_inspect},
      {"convert",
       "datasets ↔ HDF5, checkpoint ↔ Hugging Face folder",
       "--from X --to Y",
       {"data", "text"},
       run_convert},
      {"version", "versions of the program and its libraries", "", {}, run_version},
      {"help", "this text, or the options of one command", "[COMMAND]", {}, run_help},
  };
  return table;
}

const Command* find_command(const std::string& name) {
  for (const Command& command : commands()) {
    if (command.name == name) return &command;
  }
  return nullptr;
}

ExitCode run_version(Session& session) {
  if (session.mpi.rank() == 0) std::cout << version_text();
  return ExitCode::kDone;
}

ExitCode run_help(Session& session) {
  if (session.mpi.rank() != 0) return ExitCode::kDone;
  if (!session.line.arguments.empty()) {
    const std::string& name = session.line.arguments.front();
    const Command* command = find_command(name);
    if (command == nullptr) throw UsageError("help: unknown command '" + name + "': see `genrec_dist help`");
    std::cout << "genrec_dist " << name << " " << command->arguments << "\n  " << command->summary << "\n\n";
    if (!command->sections.empty()) std::cout << session.parser.help_text(command->sections);
    return ExitCode::kDone;
  }
  std::cout
      << "genrec_dist [COMMAND] [--config FILE.ini ...] [--section.key VALUE ...]\n"
         "Trains generative recommenders and improves their item identifiers while it trains.\n"
         "Alone, or one rank per GPU or CPU slot: mpirun -np 8 genrec_dist, srun genrec_dist\n\nCommands\n";
  for (const Command& command : commands()) {
    std::cout << "  " << command.name << std::string(12 - command.name.size(), ' ') << command.summary
              << "\n";
  }
  std::cout
      << "\nExamples\n"
         "  genrec_dist                                     SIIT on a small synthetic dataset\n"
         "  mpirun -np 8 genrec_dist --config configs/beauty_siit.ini --data.dir DATA\n"
         "  genrec_dist siit --config FILE --run.dry-run    check the data, estimate memory and time\n"
         "  genrec_dist inspect runs/NAME/checkpoints/last --verify\n\n"
         "Precedence: defaults < config files in the order given < command line.\n"
         "Exit codes: 0 done, 2 usage, 65 bad data, 66 missing input, 74 I/O error,\n"
         "            75 stopped early with a checkpoint (the same command goes on), 1 internal error\n\n"
      << session.parser.help_text();
  return ExitCode::kDone;
}

}  // namespace genrec
