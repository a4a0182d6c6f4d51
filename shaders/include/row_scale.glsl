// The factor of a row of a product: what NVFP4 tensors keep outside of their blocks (X.scale beside X.weight). Most weights
// have none; a dense product of gate and up at once never has. Rows are those of the whole stack, of all experts in one.
float row_scale(uint row) { return push.row_scales != 0 ? AddrF32(push.row_scales).v[row] : 1.0; }
