using System.Globalization;
using System.Text.Json;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Methods;
using NativeVaccine.Models;
using NativeVaccine.Training;

namespace NativeVaccine.Cli.Demo;

/// <summary>
/// Runs the stages of the demo by the library's own trainer, each in a run folder as <c>align</c> and <c>finetune</c> make it.
/// </summary>
internal sealed class DemoStage(CancellationToken cancellation)
{
    /// <summary>Writes samples as records of tokens.</summary>
    public static void WriteData(string file, IEnumerable<Sample> samples) =>
        WriteRecords(file, samples, static (writer, sample) => WriteSample(writer, sample));

    /// <summary>Writes pairs as records of tokens, one for each side.</summary>
    public static void WritePairs(string file, IEnumerable<ToyPair> pairs)
    {
        IEnumerable<(int Index, string Pool, Sample Sample)> sides = pairs.Index().SelectMany(static pair => new[]
        {
            (pair.Index, "harmless", pair.Item.Harmless), (pair.Index, "harmful", pair.Item.Harmful),
        });
        WriteRecords(file, sides, static (writer, side) =>
        {
            writer.WriteString("pool", side.Pool);
            writer.WriteNumber("index", side.Index);
            WriteSample(writer, side.Sample);
        });
    }

    /// <summary>Trains from files to files.</summary>
    /// <returns>The folder of the result.</returns>
    public string Train(TrainingOptions options, string folder, ProgressStage stage)
    {
        using TrainingRun run = TrainingRun.Create(options, folder);
        run.StepDone = (metrics, steps) => Report(stage, metrics, steps);
        return run.Execute(cancellation);
    }

    /// <summary>Trains an adapter, and looks at the model on the way.</summary>
    /// <param name="device">Where.</param>
    /// <param name="weights">The model that is trained.</param>
    /// <param name="options">How.</param>
    /// <param name="samples">On what.</param>
    /// <param name="folder">Of the run.</param>
    /// <param name="look">Called before the first step and after every step with the session and the steps so far.</param>
    /// <param name="stage">Shows how far it is.</param>
    public Adapter TrainWatched(
        Device device,
        IWeightSource weights,
        TrainingOptions options,
        IReadOnlyList<Sample> samples,
        string folder,
        Action<Session, int> look,
        ProgressStage stage)
    {
        Method method = MethodCatalog.Create(options);
        var data = new TrainingData(samples);
        using MemoryPlan plan =
            MemoryPlan.Create(device, ToyModel.Configuration, TrainingPlan.For(options, method, data, NumberTypes.Fp32));
        using Session session = Session.Create(device, plan);
        session.Load(weights);
        session.InitializeAdapter(options.Seed);
        using RunFolder run = RunFolder.Create(folder, options);
        var record = AdapterRecord.Of(options, run.ResultPath);
        Trainer? trainer = null;
        trainer = new Trainer(session, method, options, data)
        {
            Folder = run,
            StepDone = metrics =>
            {
                Report(stage, metrics, trainer!.TotalSteps);
                look(session, metrics.Step + 1);
            },
        };
        look(session, 0);
        trainer.Run(cancellation);
        Adapter adapter = session.SaveAdapter(options.Model);
        run.SaveAdapter(adapter, record);
        run.WriteReport();
        return adapter;
    }

    private static void Report(ProgressStage stage, StepMetrics metrics, int steps) =>
        stage.Report((metrics.Step + 1.0) / steps, string.Create(CultureInfo.InvariantCulture, $"loss {metrics.Loss:F3}"));

    private static void WriteRecords<T>(string file, IEnumerable<T> records, Action<Utf8JsonWriter, T> writeFields) =>
        IO.AtomicFile.Write(file, stream =>
        {
            foreach (T record in records)
            {
                using (var writer = new Utf8JsonWriter(stream))
                {
                    writer.WriteStartObject();
                    writeFields(writer, record);
                    writer.WriteEndObject();
                }
                stream.WriteByte((byte)'\n');
            }
        });

    private static void WriteSample(Utf8JsonWriter writer, Sample sample)
    {
        WriteNumbers(writer, "input_ids", sample.InputIds);
        WriteNumbers(writer, "labels", sample.Labels);
    }

    private static void WriteNumbers(Utf8JsonWriter writer, string name, int[] numbers)
    {
        writer.WriteStartArray(name);
        foreach (int number in numbers) writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }
}
