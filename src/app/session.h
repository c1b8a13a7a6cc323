#pragma once
#include <string>
#include <vector>

#include "app/options.h"
#include "base/error.h"
#include "base/log.h"
#include "comm/mpi_runtime.h"
#include "config/option_parser.h"

namespace genrec {

/// What every command is given: the options and the owners that live in main.
struct Session {
  ProgramOptions& options;
  const OptionParser& parser;
  const CommandLine& line;
  MpiRuntime& mpi;
  Logging& logging;
};

/// A command of the program.
struct Command {
  std::string name;
  std::string summary;
  std::string arguments;              ///< of the usage line
  std::vector<std::string> sections;  ///< of options that `help COMMAND` shows
  ExitCode (*run)(Session& session);
  bool goes_on = false;  ///< stops with a checkpoint when SIGUSR1 or SIGTERM comes
};

/// All commands, in the order of the help text.
[[nodiscard]] const std::vector<Command>& commands();
[[nodiscard]] const Command* find_command(const std::string& name);

ExitCode run_siit(Session& session);
ExitCode run_train(Session& session);
ExitCode run_tokenize(Session& session);
ExitCode run_embed(Session& session);
ExitCode run_evaluate(Session& session);
ExitCode run_recommend(Session& session);
ExitCode run_inspect(Session& session);
ExitCode run_convert(Session& session);
ExitCode run_version(Session& session);
ExitCode run_help(Session& session);

}  // namespace genrec
