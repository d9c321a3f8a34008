// The scheme of Goto and van de Geijn (Anatomy of High-Performance Matrix Multiplication; ACM TOMS 34, 2008): blocks of b and of a are
// packed into the order in which a register tile reads them. K is never split between threads.
#include "ops/cpu/gemm.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/cpu_features.h"
#include "core/error.h"
#include "ops/cpu/gemm_kernels.h"
#include "ops/cpu/pool.h"

namespace vaccine::ops {
namespace {

constexpr int64_t kBlockSteps = 384;   // of k: a panel of a (14 x 384) stays in the first cache
constexpr int64_t kBlockLanes = 128;   // of a, packed for one task
constexpr int64_t kSharedLanes = 576;  // of a, packed for all: stays in the second cache
constexpr int64_t kStepMultiple = 16;  // so that blocks of k begin where transposing vectors do
constexpr int64_t kPieceSteps = 32;    // of a, whose rows lie side by side: all panels take their part of a cache line while it is near
constexpr int64_t kNarrow = 8;         // columns that would leave half of a vector empty: rows and columns change places
constexpr int64_t kSwappedSteps = 64;  // fewer are soon multiplied: turning the sums costs more than turning b
constexpr int64_t kSwappedRows = 64;   // more are worth turning b
constexpr int64_t kAlignment = 64;

// Less is not worth waking a thread for: about 10 us.
constexpr int64_t kTaskProducts = int64_t{1} << 19;
constexpr int64_t kTaskPacked = int64_t{1} << 15;
constexpr int64_t kTaskRead = int64_t{1} << 16;
constexpr int64_t kTasksPerThread = 4;

constexpr int64_t kLargestTileColumns = 32;
constexpr int64_t kWorkerFloats = (kBlockLanes + kLargestTileColumns) * kBlockSteps;

int64_t ceil_div(int64_t n, int64_t by) {
    return (n + by - 1) / by;
}
int64_t round_up(int64_t n, int64_t to) {
    return ceil_div(n, to) * to;
}

const GemmKernels& kernels() {
    switch (active_isa()) {
        case Isa::Avx512:
            return gemm_avx512;
        case Isa::Avx2:
            return gemm_avx2;
        default:
            return gemm_plain;
    }
}

/// Cuts [0, n) into `parts` ranges of nearly equal length.
struct Ranges {
    int64_t n, parts;
    int64_t begin(int64_t part) const { return n * part / parts; }
};

/// [begin, end)
struct Part {
    int64_t begin, end;
};

class Multiplication {
public:
    Multiplication(Stream& stream, const Gemm& problem)
        : turned_(problem.N <= kNarrow && problem.N < problem.M),
          p_(turned_ ? turn(problem) : problem),
          k_(kernels()),
          pool_(pool(stream)) {
        const int64_t blocks = std::max<int64_t>(1, ceil_div(p_.K, kBlockSteps));
        block_steps_ = round_up(ceil_div(p_.K, blocks), kStepMultiple);

        const auto base = reinterpret_cast<uintptr_t>(stream.workspace);
        const auto aligned = static_cast<uintptr_t>(round_up(static_cast<int64_t>(base), kAlignment));
        workers_ = reinterpret_cast<float*>(aligned);
        shared_ = workers_ + pool_.threads() * kWorkerFloats;
        const int64_t floats = (stream.workspace_bytes - static_cast<int64_t>(aligned - base)) / static_cast<int64_t>(sizeof(float));
        const int64_t lanes = (floats - pool_.threads() * kWorkerFloats) / kBlockSteps;
        block_rows_ = std::min(kSharedLanes, lanes - lanes % kLargestTileColumns) / k_.row_lanes * k_.tile_rows;
        if (stream.workspace == nullptr || block_rows_ <= 0)
            throw Error(Status::Internal, "gemm: " + std::to_string(stream.workspace_bytes) + " bytes of workspace; expected " +
                                              std::to_string(gemm_workspace_bytes(pool_.threads(), 1)) + " at least");
    }

    void run() {
        if (is_swapped())
            by_swapped();
        else if (p_.M <= k_.dot_rows && p_.a.dtype == DType::F32 && p_.a.column_stride == 1 && p_.b.row_stride == 1)
            by_dots();
        else if (p_.M <= 2 * k_.tile_rows || (p_.M <= task_rows() && columns_for_all()))
            by_columns();
        else
            by_blocks();
    }

private:
    /// Some rows of a, cut into panels of nearly equal height, at most a tile's.
    struct RowPanels {
        Ranges tiles;
        const float* data;
        int64_t stride;     // from a step to the next,
        bool side_by_side;  // panels' lanes follow one another: a as it lies, not packed

        Panel panel(int64_t tile, int64_t steps) const {
            return {data + (side_by_side ? tiles.begin(tile) : tile * stride * steps), stride};
        }
    };

    /// Panels, cut into no more tasks than are worthwhile.
    Ranges shared_out(int64_t panels, int64_t worthwhile) const {
        const int64_t wanted = pool_.threads() == 1 ? 1 : kTasksPerThread * pool_.threads();
        return {panels, std::min({panels, std::max<int64_t>(1, worthwhile), wanted})};
    }

    /// Very few rows: b is read once, from where it lies. A panel's lanes are read to their ends, for the sake of memory's read-ahead.
    void by_dots() {
        const int64_t panels = ceil_div(p_.N, k_.vector);
        const Ranges ranges = shared_out(panels, p_.N * p_.K / kTaskRead);
        pool_.parallel_for(ranges.parts, [&](int64_t part) {
            for (int64_t panel = ranges.begin(part); panel < ranges.begin(part + 1); ++panel)
                for_blocks_of_k([&](int64_t first_step, int64_t steps) { dot(panel * k_.vector, first_step, steps); });
        });
    }

    void dot(int64_t column, int64_t first_step, int64_t steps) const {
        const int64_t columns = std::min(k_.vector, p_.N - column);
        const PackSource b = source(p_.b, column, first_step, p_.b.column_stride, 1);
        const PackSource a = source(p_.a, 0, first_step, p_.a.row_stride, 1);
        place(0, p_.M, column, columns, first_step == 0,
              [&](const TileEnd& end, float* c, int64_t c_stride) { k_.dot(p_.M, columns, steps, a, b, end, c, c_stride); });
    }

    /// Rows of a that a task packs at most.
    int64_t task_rows() const { return kBlockLanes / k_.row_lanes * k_.tile_rows; }

    /// Whether each thread finds columns enough, although rows are not shared out.
    bool columns_for_all() const { return pool_.threads() == 1 || ceil_div(p_.N, k_.tile_columns) >= kTasksPerThread * pool_.threads(); }

    /// Few rows: every task packs a and a panel of b after the other for itself, and uses them at once.
    void by_columns() {
        const int64_t panels = ceil_div(p_.N, k_.tile_columns);
        const Ranges ranges = shared_out(panels, std::max(p_.N * p_.K / kTaskPacked, p_.M * p_.N * p_.K / kTaskProducts));
        pool_.parallel_for(ranges.parts, [&](int64_t part, int32_t worker) {
            float* a = workers_ + worker * kWorkerFloats;
            float* b = a + kBlockLanes * kBlockSteps;
            for_blocks_of_k([&](int64_t first_step, int64_t steps) {
                const RowPanels rows = pack_a(0, p_.M, first_step, steps, a);
                for (int64_t panel = ranges.begin(part); panel < ranges.begin(part + 1); ++panel) {
                    const int64_t column = panel * k_.tile_columns;
                    const bool direct = is_panel(column);
                    multiply(rows, {0, rows.tiles.parts}, 0, direct ? panel_of_b(column, first_step) : pack_b(column, first_step, steps, b),
                             after(ranges, part, panel, first_step), column, first_step, steps);
                }
            });
        });
    }

    /// Whether b, which would have to be turned for the sake of a few rows, is better broadcast from where it lies: a's rows are the
    /// vectors' lanes then, of which few may stay empty.
    bool is_swapped() const {
        if (k_.swapped_columns == 0 || turned_ || p_.b.row_stride != 1 || p_.K < kSwappedSteps) return false;
        const int64_t too_few = p_.b.dtype == DType::F32 ? k_.dot_rows : k_.vector;  // bf16 has to be converted first
        return p_.M > too_few && p_.M <= kSwappedRows && swapped_lanes() - p_.M <= k_.vector / 2 && swapped_blocks() > 0;
    }
    int64_t swapped_lanes() const { return round_up(p_.M, k_.vector); }
    /// Of k, for which there is room.
    int64_t swapped_blocks() const { return block_rows_ / k_.tile_rows * k_.row_lanes / swapped_lanes(); }

    /// Few rows: of some blocks of k they are packed once for all, then tasks take columns of b, whose lanes are read to their ends.
    void by_swapped() {
        const int64_t group = swapped_blocks() * block_steps_;
        for (int64_t first_step = 0; first_step < p_.K; first_step += group) {
            const int64_t end = std::min(p_.K, first_step + group);
            pack_swapped({first_step, end});
            multiply_swapped({first_step, end});
        }
    }

    void pack_swapped(Part k) {
        pool_.parallel_for(ceil_div(k.end - k.begin, block_steps_), [&](int64_t block) {
            const int64_t first_step = k.begin + block * block_steps_, steps = std::min(block_steps_, k.end - first_step);
            float* to = shared_ + block * block_steps_ * swapped_lanes();
            for (int64_t row = 0; row < p_.M; row += k_.tile_columns)
                k_.pack(source(p_.a, row, first_step, p_.a.row_stride, p_.a.column_stride), std::min(p_.M - row, k_.tile_columns),
                        lanes_of(p_.M - row), steps, to + row * steps);
        });
    }

    void multiply_swapped(Part k) {
        const int64_t width = k_.swapped_columns, steps = k.end - k.begin;
        const Ranges parts = shared_out(ceil_div(p_.N, width), std::max(p_.N * steps / kTaskRead, p_.M * p_.N * steps / kTaskProducts));
        pool_.parallel_for(parts.parts, [&](int64_t part, int32_t worker) {
            float* copy = workers_ + worker * kWorkerFloats;
            for (int64_t panel = parts.begin(part); panel < parts.begin(part + 1); ++panel)
                for_blocks_of(k, [&](int64_t first_step, int64_t some) {
                    const Ahead ahead = panel + 1 < parts.begin(part + 1) ? ahead_of(panel + 1, width, first_step) : Ahead{};
                    multiply_swapped_panel(shared_ + (first_step - k.begin) * swapped_lanes(), panel * width, first_step, some, ahead,
                                           copy);
                });
        });
    }

    void multiply_swapped_panel(const float* a, int64_t column, int64_t first_step, int64_t steps, const Ahead& ahead, float* copy) const {
        const int64_t columns = std::min(k_.swapped_columns, p_.N - column);
        const bool direct = p_.b.dtype == DType::F32 && columns == k_.swapped_columns;
        const PackSource lanes = source(p_.b, first_step, column, 1, p_.b.column_stride);  // its lanes are steps: b is not turned
        const int64_t b_stride = direct ? p_.b.column_stride : round_up(steps, k_.vector);
        if (!direct) k_.pack(lanes, steps, b_stride, columns, copy);  // of too few columns the kernel reads what lies behind them too
        const float* b = direct ? static_cast<const float*>(lanes.data) : copy;
        const Ranges shares{ahead.rows, ceil_div(p_.M, k_.tile_columns)};
        for (int64_t t = 0; t < shares.parts; ++t) {
            const int64_t row = t * k_.tile_columns, rows = std::min(p_.M - row, k_.tile_columns);
            place(row, rows, column, columns, first_step == 0, [&](const TileEnd& end, float* c, int64_t c_stride) {
                k_.swapped(rows, columns, steps, a + row * steps, b, b_stride, share_of(ahead, shares, t), end, c, c_stride);
            });
        }
    }

    /// Lanes of a panel for so many rows or columns.
    int64_t lanes_of(int64_t wanted) const { return wanted <= k_.vector ? k_.vector : k_.tile_columns; }

    /// Many rows: a block of a is packed once for all, then tasks take panels of b (and where those are few, rows too). A task packs a
    /// panel for itself and uses it at once, while it is near.
    void by_blocks() {
        const Ranges blocks{p_.M, ceil_div(p_.M, block_rows_)};
        for (int64_t block = 0; block < blocks.parts; ++block) {
            const int64_t row = blocks.begin(block), rows = blocks.begin(block + 1) - row;
            const RowPanels packed{{rows, ceil_div(rows, k_.tile_rows)}, shared_, k_.row_lanes, false};
            for_blocks_of_k([&](int64_t first_step, int64_t steps) {
                pack_shared(row, packed.tiles, first_step, steps);
                multiply_shared(row, packed, first_step, steps);
            });
        }
    }

    void pack_shared(int64_t row, const Ranges& tiles, int64_t first_step, int64_t steps) {
        const Ranges ranges = shared_out(tiles.parts, tiles.n * steps / kTaskPacked);
        pool_.parallel_for(ranges.parts, [&](int64_t part) {
            pack_tiles(row, tiles, {ranges.begin(part), ranges.begin(part + 1)}, first_step, steps, shared_);
        });
    }

    void multiply_shared(int64_t row, const RowPanels& a, int64_t first_step, int64_t steps) {
        const int64_t panels = ceil_div(p_.N, k_.tile_columns);
        const int64_t worthwhile = std::max<int64_t>(1, a.tiles.n * p_.N * steps / kTaskProducts);
        const int64_t wanted = pool_.threads() == 1 ? 1 : std::min(worthwhile, kTasksPerThread * pool_.threads());
        const Ranges columns{panels, std::min(panels, wanted)};
        const Ranges chunks{a.tiles.parts, std::min(a.tiles.parts, ceil_div(wanted, columns.parts))};

        pool_.parallel_for(columns.parts * chunks.parts, [&](int64_t task, int32_t worker) {
            const int64_t part = task / chunks.parts, chunk = task % chunks.parts;
            const Part tiles{chunks.begin(chunk), chunks.begin(chunk + 1)};
            for (int64_t panel = columns.begin(part); panel < columns.begin(part + 1); ++panel) {
                const int64_t column = panel * k_.tile_columns;
                const Panel b = pack_b(column, first_step, steps, workers_ + worker * kWorkerFloats);
                multiply(a, tiles, row, b, after(columns, part, panel, first_step), column, first_step, steps);
            }
        });
    }

    template <class F> void for_blocks_of_k(F f) const { for_blocks_of({0, p_.K}, f); }
    template <class F> void for_blocks_of(Part k, F f) const {
        int64_t first = k.begin;
        do {  // once where K is 0: c still gets its bias
            f(first, std::min(block_steps_, k.end - first));
            first += block_steps_;
        } while (first < k.end);
    }

    RowPanels pack_a(int64_t row, int64_t rows, int64_t first_step, int64_t steps, float* to) const {
        const Ranges tiles{rows, ceil_div(rows, k_.tile_rows)};
        if (p_.a.row_stride == 1 && p_.a.dtype == DType::F32 && p_.N <= k_.tile_columns)  // read once: packing would be another reading
            return {tiles, static_cast<const float*>(p_.a.data) + row + first_step * p_.a.column_stride, p_.a.column_stride, true};
        pack_tiles(row, tiles, {0, tiles.parts}, first_step, steps, to);
        return {tiles, to, k_.row_lanes, false};
    }

    /// Some tiles of the rows from `row` on; to is where the first of all tiles lies.
    void pack_tiles(int64_t row, const Ranges& tiles, Part some, int64_t first_step, int64_t steps, float* to) const {
        const int64_t piece = p_.a.row_stride == 1 ? kPieceSteps : steps;
        for (int64_t done = 0; done < steps; done += piece)
            for (int64_t t = some.begin; t < some.end; ++t)
                k_.pack(asking(source(p_.a, row + tiles.begin(t), first_step + done, p_.a.row_stride, p_.a.column_stride)),
                        tiles.begin(t + 1) - tiles.begin(t), k_.row_lanes, std::min(piece, steps - done),
                        to + (t * steps + done) * k_.row_lanes);
    }

    Panel pack_b(int64_t column, int64_t first_step, int64_t steps, float* to) const {
        const int64_t columns = std::min(k_.tile_columns, p_.N - column), lanes = lanes_of(columns);
        k_.pack(source(p_.b, column, first_step, p_.b.column_stride, p_.b.row_stride), columns, lanes, steps, to);
        return {to, lanes};
    }

    /// What the worker of a part will pack after a panel of b: the next one, or its first one of the next block of k, or with all done the
    /// first one of the part that it is likely to take then.
    Ahead after(const Ranges& parts, int64_t part, int64_t panel, int64_t first_step) const {
        if (p_.b.row_stride != 1) return {};
        if (panel + 1 < parts.begin(part + 1)) return ahead_of(panel + 1, k_.tile_columns, first_step);
        if (first_step + block_steps_ < p_.K) return ahead_of(parts.begin(part), k_.tile_columns, first_step + block_steps_);
        const int64_t next = part + pool_.threads();
        return next < parts.parts ? ahead_of(parts.begin(next), k_.tile_columns, 0) : Ahead{};
    }
    Ahead ahead_of(int64_t panel, int64_t width, int64_t first_step) const {
        const int64_t column = panel * width, bytes = size_of(p_.b.dtype);
        const PackSource from = source(p_.b, column, first_step, p_.b.column_stride, 1);
        return {static_cast<const char*>(from.data), std::min(width, p_.N - column), p_.b.column_stride * bytes,
                std::min(block_steps_, p_.K - first_step) * bytes};
    }

    /// b as it lies, where a tile can read that.
    bool is_panel(int64_t column) const {
        const int64_t columns = p_.N - column;
        return p_.b.column_stride == 1 && p_.b.dtype == DType::F32 && (columns >= k_.tile_columns || columns == k_.vector);
    }
    Panel panel_of_b(int64_t column, int64_t first_step) const {
        return {static_cast<const float*>(p_.b.data) + first_step * p_.b.row_stride + column, p_.b.row_stride};
    }

    static PackSource source(const GemmOperand& operand, int64_t lane, int64_t step, int64_t lane_stride, int64_t step_stride) {
        const int64_t offset = (lane * lane_stride + step * step_stride) * size_of(operand.dtype);
        return {static_cast<const char*>(operand.data) + offset, operand.dtype == DType::BF16, lane_stride, step_stride};
    }

    static PackSource asking(PackSource from) {
        from.asks = true;
        return from;
    }

    /// One panel of b with some panels of a, each of whose tiles asks for its share of what comes next.
    void multiply(const RowPanels& a, Part tiles, int64_t row, const Panel& b, const Ahead& ahead, int64_t column, int64_t first_step,
                  int64_t steps) const {
        const int64_t columns = std::min(k_.tile_columns, p_.N - column);
        const Ranges shares{ahead.rows, tiles.end - tiles.begin};
        for (int64_t t = tiles.begin; t < tiles.end; ++t) {
            const int64_t at = row + a.tiles.begin(t), rows = a.tiles.begin(t + 1) - a.tiles.begin(t);
            place(at, rows, column, columns, first_step == 0, [&](const TileEnd& end, float* c, int64_t c_stride) {
                k_.tile(rows, columns, steps, a.panel(t, steps), b, share_of(ahead, shares, t - tiles.begin), end, c, c_stride);
            });
        }
    }

    static Ahead share_of(const Ahead& ahead, const Ranges& shares, int64_t share) {
        const int64_t first = shares.begin(share), last = shares.begin(share + 1);
        return {ahead.data + first * ahead.stride, last - first, ahead.stride, ahead.bytes};
    }

    /// Calls compute(end, c, c_stride) for a tile of c; `begins` where nothing of k has been added yet.
    template <class F> void place(int64_t row, int64_t rows, int64_t column, int64_t columns, bool begins, F compute) const {
        TileEnd end{p_.alpha, p_.accumulate || !begins, begins ? p_.bias : nullptr};
        if (turned_) return place_turned(row, rows, column, columns, end, compute);
        if (end.bias) end.bias += column;
        compute(end, p_.c + row * p_.c_stride + column, p_.c_stride);
    }

    /// c lies transposed, and its bias belongs to rows.
    template <class F> void place_turned(int64_t row, int64_t rows, int64_t column, int64_t columns, const TileEnd& end, F compute) const {
        alignas(kAlignment) float tile[kNarrow * kLargestTileColumns];
        float* c = p_.c + column * p_.c_stride + row;
        if (end.add || end.bias)
            for (int64_t j = 0; j < columns; ++j)
                for (int64_t i = 0; i < rows; ++i)
                    tile[i * kLargestTileColumns + j] = (end.bias ? end.bias[row + i] : 0.0f) + (end.add ? c[j * p_.c_stride + i] : 0.0f);
        compute(TileEnd{end.alpha, end.add || end.bias, nullptr}, tile, kLargestTileColumns);
        for (int64_t j = 0; j < columns; ++j)
            for (int64_t i = 0; i < rows; ++i) c[j * p_.c_stride + i] = tile[i * kLargestTileColumns + j];
    }

    /// c^T = b^T a^T
    static Gemm turn(const Gemm& p) {
        Gemm turned = p;
        std::swap(turned.M, turned.N);
        turned.a = {p.b.data, p.b.dtype, p.b.column_stride, p.b.row_stride};
        turned.b = {p.a.data, p.a.dtype, p.a.column_stride, p.a.row_stride};
        return turned;
    }

    const bool turned_;
    const Gemm p_;
    const GemmKernels& k_;
    ThreadPool& pool_;
    int64_t block_steps_ = 0, block_rows_ = 0;
    float* workers_ = nullptr;  // kWorkerFloats for each
    float* shared_ = nullptr;   // a block of a, packed: block_rows_ by block_steps_
};

}  // namespace

void gemm(Stream& stream, const Gemm& problem) {
    if (problem.M == 0 || problem.N == 0) return;
    Multiplication(stream, problem).run();
}

int64_t gemm_workspace_bytes(int32_t threads, int64_t rows) {
    const int64_t packed = ceil_div(4 * std::max<int64_t>(1, rows), 3);  // 6 rows may lie in 8 lanes
    const int64_t lanes = std::min(kSharedLanes, round_up(packed, kLargestTileColumns));
    return (threads * kWorkerFloats + lanes * kBlockSteps) * static_cast<int64_t>(sizeof(float)) + kAlignment;
}

}  // namespace vaccine::ops
