// Sorts the slots of a step by expert and cuts them into tiles of at most tile_rows places of one expert. For one workgroup,
// all of whose invocations call sort_slots; the includer has slot_expert(), `tiles`, `slots`, and the constants n_experts,
// tile_rows, lanes, and push.homes. The order of the slots within an expert is not fixed; no result depends on it.
uint home_of(uint expert) { return push.homes != 0 ? AddrU32(push.homes).v[expert] : expert; }

shared uint next_place[n_experts];

void sort_slots(uint n_slots, uint groups_hidden, uint groups_out) {
    for (uint e = gl_LocalInvocationIndex; e < n_experts; e += local_size) next_place[e] = 0u;
    barrier();
    for (uint s = gl_LocalInvocationIndex; s < n_slots; s += local_size) atomicAdd(next_place[slot_expert(s)], 1u);
    barrier();
    if (gl_SubgroupID == 0u) {
        uint places = 0, n_tiles = 0;
        for (uint base = 0; base < n_experts; base += lanes) {
            const uint e = base + gl_SubgroupInvocationID;
            const uint n = e < n_experts ? next_place[e] : 0u;
            const uint n_mine = (n + tile_rows - 1u) / tile_rows;
            const uint first = places + subgroupExclusiveAdd(n);
            const uint first_tile = n_tiles + subgroupExclusiveAdd(n_mine);
            if (e < n_experts) next_place[e] = first;
            for (uint i = 0; i < n_mine; i++)
                tiles[kTileHeader + first_tile + i] = uvec4(e, first + i * tile_rows, min(tile_rows, n - i * tile_rows), home_of(e));
            places += subgroupAdd(n);
            n_tiles += subgroupAdd(n_mine);
        }
        if (gl_SubgroupInvocationID == 0u) {
            tiles[0] = uvec4(n_tiles, 0u, 0u, 0u);
            tiles[1] = uvec4(groups_hidden, n_tiles, 1u, 0u);
            tiles[2] = uvec4(groups_out, n_tiles, 1u, 0u);
        }
    }
    barrier();
    for (uint s = gl_LocalInvocationIndex; s < n_slots; s += local_size) slots[atomicAdd(next_place[slot_expert(s)], 1u)] = s;
}
