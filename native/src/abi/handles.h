#pragma once
#include <memory>

#include "core/device.h"
#include "model/plan.h"
#include "nativevaccine.h"
#include "train/session.h"

struct nv_device {
    std::unique_ptr<nv::Device> device;
};

struct nv_plan {
    nv::Plan plan;
};

struct nv_session {
    // Calls that only ask leave the session as it is, but the engine's stream is shared: mutable, and one thread at a time by contract.
    mutable nv::Session session;
    mutable bool poisoned = false;

    nv_session(nv::Device& device, const nv::Plan& plan) : session(device, plan) {}
};
