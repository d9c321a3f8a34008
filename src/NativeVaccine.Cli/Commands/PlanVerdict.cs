using System.Globalization;
using NativeVaccine.Cli.Options;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>Whether a plan fits, and what would.</summary>
internal sealed class PlanVerdict
{
    private readonly MemoryPlan plan;
    private readonly bool isAskedFor;

    /// <summary>The verdict on a plan.</summary>
    /// <param name="planner">Plans other batches.</param>
    /// <param name="plan">The one that the run would have, or the smallest where it cannot fit.</param>
    /// <param name="room">Bytes to fit into.</param>
    /// <param name="isAskedFor">Whether they are the limit of the run; otherwise they are all that the machine has.</param>
    /// <param name="fits">Whether it does.</param>
    public PlanVerdict(RunPlanner planner, MemoryPlan plan, long room, bool isAskedFor, bool fits)
    {
        (Planner, this.plan, Room, this.isAskedFor, Fits) = (planner, plan, room, isAskedFor, fits);
        if (!fits && planner.Options.Batch > 1) LargestBatch = planner.LargestBatch(room);
    }

    /// <summary>Plans other batches.</summary>
    public RunPlanner Planner { get; }

    /// <summary>Bytes to fit into.</summary>
    public long Room { get; }

    /// <summary>Whether it does.</summary>
    public bool Fits { get; }

    /// <summary>Where it does not: the largest batch that would, 0 if none would; null where it fits.</summary>
    public int? LargestBatch { get; }

    /// <summary>The verdict for people.</summary>
    public IEnumerable<string> Lines()
    {
        string room = isAskedFor ? ByteSize.Format(Room) : $"this machine's {ByteSize.Format(Room)}";
        if (Fits)
        {
            yield return $"fits into {room}";
            yield break;
        }
        using MemoryPlan smallest = Planner.Smallest();
        if (smallest.TotalBytes <= Room)
        {
            yield return $"does not fit into {room}; with --device-memory {Room >> 20}MiB it would: layers then recompute their activations";
            yield break;
        }
        yield return $"does not fit into {room}, even where every layer recomputes: {ByteSize.Format(smallest.TotalBytes - Room)} too much";
        yield return WhatWould();
    }

    private string WhatWould()
    {
        if (LargestBatch is > 0 and var batch) return $"--batch {batch} would fit; --accumulate makes up for it";
        long weights = plan.Items.FirstOrDefault(static item => item.Name == "frozen weights")?.Bytes ?? 0;
        string halved = Planner.WeightType == ElementType.Float32 && !Planner.Options.Full ? "; --precision bf16 halves them" : "";
        if (weights > Room) return $"the weights alone take {ByteSize.Format(weights)}{halved}";
        if (Planner.LargestLengthOfOne(Room) is > 0 and var length)
            return string.Create(CultureInfo.InvariantCulture, $"--batch 1 --max-length {length} would fit; --accumulate makes up for it");
        return $"no batch would fit beside the weights' {ByteSize.Format(weights)}{halved}";
    }
}
