// What routing leaves for the products of experts (kernels::ExpertShape):
//   choices: [token][n_used] { expert, bits of the f32 weight }; behind them, if the model has one, the gate of the shared expert
//   tiles: a header of four uvec4 ({ n_tiles }, group counts of two indirect dispatches, unused), then one uvec4 a tile:
//          { expert, first place, places, place of the expert (expert_home.glsl) }: places are slots sorted by expert
//   behind the room for tiles: for each group of rows of the down product a counter of the tiles that are done, zero at first
//   slots: place -> slot = token * n_used + choice
const uint kTileHeader = 4u;
