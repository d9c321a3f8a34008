#pragma once
#include <memory>

#include "core/device.h"
#include "model/network.h"
#include "model/plan.h"
#include "model/sites.h"
#include "train/optimizer.h"
#include "train/parameters.h"

namespace vaccine {

/// A model with its memory: one arena, taken whole, laid out as the plan says.
class Session {
public:
    Session(Device& device, const Plan& plan);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const Plan& plan() const { return plan_; }
    Device& device() { return device_; }
    int64_t taken_bytes() const { return plan_.total_bytes(); }
    int64_t used_bytes() const { return used_bytes_; }
    /// Makes the session's scratch that of the device's stream; sessions on one device take turns.
    Session& enter();

    /// The memory of a tensor of the model.
    View tensor(int index) const;
    void write(View to, int64_t first, int64_t count, const float* values);
    void write(View to, int64_t first, int64_t count, const uint16_t* bf16);
    void read(View from, int64_t first, int64_t count, float* out);

private:
    struct Arena {
        Device& device;
        void* memory;
        Arena(Device& d, int64_t bytes) : device(d), memory(d.allocate(bytes)) {}
        ~Arena() { device.release(memory); }
        Arena(const Arena&) = delete;
        Arena& operator=(const Arena&) = delete;
    };

    Device& device_;
    const Plan plan_;
    Arena arena_;
    int64_t used_bytes_ = 0;
    const Buffers buffers_;

public:
    Sites sites;
    Parameters parameters;
    Optimizers optimizers;
    Network network;

    const Buffers& buffers() const { return buffers_; }
};

}  // namespace vaccine
