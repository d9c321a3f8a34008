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
    /// <param name="room">Bytes to fit into; null where nothing says how many there are.</param>
    /// <param name="isAskedFor">Whether they are the limit of the run; otherwise they are all that the machine has.</param>
    /// <param name="fits">Whether it does; null where that is not known.</param>
    public PlanVerdict(RunPlanner planner, MemoryPlan plan, long? room, bool isAskedFor, bool? fits)
    {
        (Planner, this.plan, Room, this.isAskedFor, Fits) = (planner, plan, room, isAskedFor, fits);
        if (room is { } bytes && fits == false && planner.Options.Batch > 1) LargestBatch = planner.LargestBatch(bytes);
    }

    /// <summary>Plans other batches.</summary>
    public RunPlanner Planner { get; }

    /// <summary>Bytes to fit into; null where nothing says how many there are.</summary>
    public long? Room { get; }

    /// <summary>Whether it does; null where that is not known.</summary>
    public bool? Fits { get; }

    /// <summary>Where it does not: the largest batch that would, 0 if none would; null in all other cases.</summary>
    public int? LargestBatch { get; }

    /// <summary>The verdict for people.</summary>
    public IEnumerable<string> Lines()
    {
        if (Room is not { } room)
        {
            yield return "a GPU's memory is not known here: with --device-memory, as 24GiB, this says what fits into it";
            yield break;
        }
        string named = isAskedFor ? ByteSize.Format(room) : $"this machine's {ByteSize.Format(room)}";
        if (Fits == true)
        {
            yield return $"fits into {named}";
            yield break;
        }
        using MemoryPlan smallest = Planner.Smallest();
        if (smallest.TotalBytes <= room)
        {
            yield return $"does not fit into {named}; with --device-memory {room >> 20}MiB it would: layers then recompute their activations";
            yield break;
        }
        yield return $"does not fit into {named}, even where every layer recomputes: {ByteSize.Format(smallest.TotalBytes - room)} too much";
        yield return WhatWould(room);
    }

    private string WhatWould(long room)
    {
        if (LargestBatch is > 0 and var batch) return $"--batch {batch} would fit; --accumulate makes up for it";
        long weights = plan.Items.FirstOrDefault(static item => item.Name == "frozen weights")?.Bytes ?? 0;
        string halved = Planner.WeightType == ElementType.Float32 && !Planner.Options.Full ? "; --precision bf16 halves them" : "";
        if (weights > room) return $"the weights alone take {ByteSize.Format(weights)}{halved}";
        if (Planner.LargestLengthOfOne(room) is > 0 and var length)
            return string.Create(CultureInfo.InvariantCulture, $"--batch 1 --max-length {length} would fit; --accumulate makes up for it");
        return $"no batch would fit beside the weights' {ByteSize.Format(weights)}{halved}";
    }
}
