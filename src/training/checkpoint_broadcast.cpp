#include "training/broadcaster.h"
#include "training/checkpoint.h"

namespace genrec {

void broadcast_checkpoint(CheckpointState& state, Communicator& world) {
  if (!world.is_root()) state = CheckpointState{};
  // A binding of all members: a member that is added without its broadcast does not compile.
  auto& [dataset, fingerprint, git, config, seed, step, stage, iteration, position, regenerated, loop,
         model_config, model, aligned, optimizer, candidates, text_pieces, spiece, templates, vocabulary,
         codebooks, identifiers, history] = state;
  (void)candidates;  // the root's alone
  broadcast_fields(Broadcaster(world), dataset, fingerprint, git, config, seed, step, stage, iteration,
                   position, regenerated, loop, model_config, model, aligned, optimizer, text_pieces, spiece,
                   templates, vocabulary, codebooks, identifiers, history);
}

}  // namespace genrec
