#pragma once
#include "core/dtype.h"

namespace vaccine {

/// A borrowed matrix in the engine's memory: rows x columns, contiguous. A vector has one row. Empty where there is nothing.
struct View {
    void* data = nullptr;
    DType dtype = DType::F32;
    int64_t rows = 0, columns = 0;

    bool empty() const { return data == nullptr; }
    int64_t count() const { return rows * columns; }
    int64_t bytes() const { return count() * size_of(dtype); }
    template <class T> T* as() const { return static_cast<T*>(data); }

    /// `n` rows from row `first`.
    View rows_from(int64_t first, int64_t n) const {
        return {static_cast<char*>(data) + first * columns * size_of(dtype), dtype, n, columns};
    }
    /// `n` elements from element `first`, as a vector.
    View slice(int64_t first, int64_t n) const { return {static_cast<char*>(data) + first * size_of(dtype), dtype, 1, n}; }
};

}  // namespace vaccine
