// The factor of a row of a product: what NVFP4 tensors keep outside of their blocks (X.scale beside X.weight). Most weights
// have none; a dense product of gate and up at once never has. Rows are those of the whole stack, of all experts in one.
#ifndef WEIGHT_ROW_SCALES
#define WEIGHT_ROW_SCALES push.row_scales
#endif
float row_scale(uint row) { return WEIGHT_ROW_SCALES != 0 ? AddrF32(WEIGHT_ROW_SCALES).v[row] : 1.0; }
