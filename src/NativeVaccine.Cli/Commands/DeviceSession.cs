using System.CommandLine;
using NativeVaccine.Cli.Options;
using NativeVaccine.Engine;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Commands;

/// <summary>A place for a model on the device that the options name, without gradients: planned, taken, and given back.</summary>
internal sealed class DeviceSession(DeviceOptionSet options, ParseResult parsed) : IDisposable
{
    private Session? session;

    /// <summary>The device; null before it is asked for.</summary>
    public Device? Device { get; private set; }

    /// <summary>The last plan; null before there is one.</summary>
    public MemoryPlan? Plan { get; private set; }

    /// <summary>What weights and activations are held in.</summary>
    /// <param name="folder">The model's files.</param>
    public NumberTypes Types(ModelFolder folder) =>
        RunDevice.Types(Open(), OptionKinds.Word(parsed, options.Precision, WeightPrecision.Stored), folder, mergedAdapters: 0);

    /// <summary>Takes room for a model; what was taken before is given back.</summary>
    /// <param name="configuration">The model's shape.</param>
    /// <param name="room">What there must be room for; the form of the numbers and the memory limit are set here.</param>
    /// <param name="types">What weights and activations are held in.</param>
    /// <exception cref="EngineException"><see cref="EngineError.OutOfMemory"/>: it does not fit.</exception>
    public Session Take(ModelConfiguration configuration, SessionOptions room, NumberTypes types)
    {
        Free();
        Plan = MemoryPlan.Create(Open(), configuration, room with
        {
            Training = false,
            Optimizers = 0,
            WeightType = types.Weights,
            ActivationType = types.Activations,
            MemoryLimit = parsed.GetValue(options.DeviceMemory) is { } limit and > 0 ? limit : Open().PlannableBytes,
        });
        return session = Session.Create(Open(), Plan);
    }

    /// <summary>As <see cref="Take"/>, with as much at a time as fits: what is asked for is halved until it does.</summary>
    /// <param name="configuration">The model's shape.</param>
    /// <param name="most">How much at a time is worth it.</param>
    /// <param name="room">What there must be room for so much at a time.</param>
    /// <param name="types">What weights and activations are held in.</param>
    /// <exception cref="EngineException"><see cref="EngineError.OutOfMemory"/>: not even one at a time fits.</exception>
    public Session TakeLargest(ModelConfiguration configuration, int most, Func<int, SessionOptions> room, NumberTypes types)
    {
        for (int atATime = most; ; atATime /= 2)
        {
            try
            {
                return Take(configuration, room(atATime), types);
            }
            catch (EngineException exception) when (exception.Error == EngineError.OutOfMemory && atATime > 1)
            {
            }
        }
    }

    /// <summary>Gives the memory back; the device stays open, and another model may take its place.</summary>
    public void Free()
    {
        session?.Dispose();
        session = null;
        Plan?.Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Free();
        Device?.Dispose();
    }

    private Device Open() => Device ??= options.Open(parsed);
}
