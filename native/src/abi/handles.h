#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "core/device.h"
#include "model/plan.h"
#include "nativevaccine.h"
#include "train/session.h"

struct nv_device {
    std::unique_ptr<nv::Device> device;
    // Held for the length of a call on the device or on a session of it: they share its stream, its scratch and its threads.
    mutable std::mutex busy;
    // What it failed of; empty while it works. Calls that only ask may be the ones that find out.
    mutable std::string failure;

    explicit nv_device(std::unique_ptr<nv::Device> opened) : device(std::move(opened)) {}
};

struct nv_plan {
    nv::Plan plan;
};

struct nv_session {
    // Calls that only ask leave the session as it is, but they use the device's stream like all others.
    const nv_device& owner;
    mutable nv::Session session;
    mutable std::string failure;
    std::atomic<bool> interrupted{false};  // set and cleared by any thread, without waiting for its turn

    nv_session(const nv_device& device, const nv::Plan& plan) : owner(device), session(*device.device, plan) {}
};
