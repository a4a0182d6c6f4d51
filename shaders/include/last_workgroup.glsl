// Which workgroup finishes last among those that share a counter: it sees what all of them have stored. The includer declares
// the coherent buffer arrivals, whose counters are zero at the start, and the constant n_splits: the subgroups of a workgroup, of
// which the first stores what the workgroup leaves.
shared uint n_before; // workgroups that finished before this one

bool is_last(uint counter, uint n_workgroups, uint split) {
    uint n = 0;
    if (split == 0u) {
        subgroupBarrier();
        memoryBarrierBuffer(); // release what the subgroup stored
        if (subgroupElect()) n = atomicAdd(arrivals[counter], 1u);
        n = subgroupBroadcastFirst(n);
    }
    if (n_splits > 1u) {
        if (gl_LocalInvocationIndex == 0u) n_before = n;
        barrier();
        n = n_before;
    }
    memoryBarrierBuffer(); // acquire
    if (n + 1u != n_workgroups) return false;
    if (gl_LocalInvocationIndex == 0u) arrivals[counter] = 0u; // as it was
    return true;
}
