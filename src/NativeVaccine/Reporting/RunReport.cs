using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using NativeVaccine.IO;
using NativeVaccine.Methods;
using NativeVaccine.Training;

namespace NativeVaccine.Reporting;

/// <summary>
/// The report.html of a run: one page without anything from outside, made of the folder's config.json and metrics.jsonl, so that it can be
/// made again at any time.
/// </summary>
public static class RunReport
{
    /// <summary>Name of the page in the folder of a run.</summary>
    public const string FileName = "report.html";

    private const double MiB = 1 << 20;

    /// <summary>More than any model has: the bound where the model is not known.</summary>
    private const int MostLayers = 1024;

    private const string Style = """
        :root { color-scheme: light dark; --text: #1c1e21; --dim: #5c6166; --paper: #ffffff; --faint: #e3e5e8; --mark: #0b63b0; }
        @media (prefers-color-scheme: dark) { :root { --text: #e4e6e8; --dim: #a3a9b0; --paper: #16181b; --faint: #2c3035; --mark: #62b0f5; } }
        * { box-sizing: border-box; }
        body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 62rem; margin: 1rem auto; padding: 0 1rem; }
        h1 { font-size: 1.4rem; line-height: 1.3; margin: 0.5rem 0; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 0 0 0.2rem; }
        p { color: var(--dim); margin: 0 0 0.3rem; } .state { color: var(--text); margin-bottom: 1rem; }
        .numbers, .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 2rem; }
        .numbers { grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: 0.5rem; margin: 1rem 0; }
        .numbers div { border: 1px solid var(--faint); border-radius: 0.4rem; padding: 0.4rem 0.6rem; }
        .numbers b { display: block; font-size: 1.25rem; font-weight: 600; } .numbers span { color: var(--dim); font-size: 0.85rem; }
        table { border-collapse: collapse; width: 100%; margin-bottom: 2rem; }
        th { text-align: left; font-weight: normal; color: var(--dim); padding: 0.1rem 1rem 0.1rem 0; vertical-align: top; width: 9rem; }
        td { overflow-wrap: anywhere; padding: 0.1rem 0; }
        svg { display: block; width: 100%; height: auto; } text { font-size: 12px; fill: var(--dim); }
        .axis { stroke: var(--dim); stroke-width: 1; } .grid { stroke: var(--faint); stroke-width: 1; } .cell { fill: var(--mark); }
        .curve { fill: none; stroke: var(--mark); stroke-width: 1.5; stroke-linecap: round; stroke-linejoin: round; }
        """;

    /// <summary>Writes the page.</summary>
    /// <param name="folder">The folder of a run.</param>
    /// <param name="plannedBytes">What the memory plan said, if it is known.</param>
    /// <param name="layerCount">Layers of the model, if they are known.</param>
    /// <param name="totalSteps">The optimizer steps of the whole run, if they are known.</param>
    /// <returns>The path of the page.</returns>
    /// <exception cref="InputException">config.json or metrics.jsonl is missing or broken, or the page cannot be written.</exception>
    public static string Write(string folder, long? plannedBytes = null, int? layerCount = null, int? totalSteps = null)
    {
        TrainingOptions options = TrainingOptionsJson.Read(Path.Combine(folder, RunFolder.ConfigurationFileName));
        IReadOnlyList<ReportedStep> steps = MetricsFile.Read(
            Path.Combine(folder, RunFolder.MetricsFileName), layerCount ?? MostLayers, MethodCatalog.Require(options.Method).Metrics);
        string file = Path.Combine(folder, FileName);
        AtomicFile.WriteAllText(file, Page(options, steps, plannedBytes, State(steps, Directory.Exists(RunFolder.ResultOf(folder, options.Full)), totalSteps)));
        return file;
    }

    internal static string Page(TrainingOptions options, IReadOnlyList<ReportedStep> steps, long? plannedBytes, string state)
    {
        string title = Clean($"{options.Method}: {options.Stage.ToString().ToLowerInvariant()} of {Path.GetFileName(options.Model ?? "a model")}");
        var body = new XElement("body", new XElement("h1", title), new XElement("p", new XAttribute("class", "state"), state));
        if (steps.Count > 0) body.Add(FinalNumbers(steps));
        body.Add(Facts(options, steps, plannedBytes));
        if (steps.Count > 0) body.Add(new XElement("div", new XAttribute("class", "charts"), Charts(steps, MethodCatalog.Require(options.Method).Metrics)));
        var html = new XElement(
            "html",
            new XAttribute("lang", "en"),
            new XElement(
                "head",
                new XElement("meta", new XAttribute("charset", "utf-8")),
                new XElement("meta", new XAttribute("name", "viewport"), new XAttribute("content", "width=device-width, initial-scale=1")),
                new XElement("title", title),
                new XElement("style", Style)),
            body);
        return $"<!DOCTYPE html>\n{html}\n";
    }

    private static string State(IReadOnlyList<ReportedStep> steps, bool hasResult, int? totalSteps)
    {
        if (steps.Count == 0) return "No step was taken.";
        int done = steps[^1].Step + 1;
        if (hasResult) return Say($"Complete: {done} steps.");
        return totalSteps is { } total ? Say($"Stopped after {done} of {total} steps.") : Say($"Not complete: {done} steps so far.");
    }

    /// <summary>What a reader looks for first.</summary>
    private static XElement FinalNumbers(IReadOnlyList<ReportedStep> steps)
    {
        var numbers = new XElement("div", new XAttribute("class", "numbers"));
        void Add(string name, double value, string format)
        {
            if (!double.IsFinite(value)) return;
            numbers.Add(new XElement("div", new XElement("b", value.ToString(format, CultureInfo.InvariantCulture)), new XElement("span", name)));
        }
        // A single batch's loss says little: the last tenth of the run says more.
        double[] losses = [.. steps.Select(static step => step.Loss).Where(double.IsFinite)];
        int last = Math.Max(1, losses.Length / 10);
        if (losses.Length > 0) Add(last == 1 ? "loss of the last step" : Say($"loss, mean of the last {last} steps"), losses[^last..].Average(), "F4");
        if (losses.Length > 0) Add("loss of the first step", losses[0], "F4");
        Add("gradient norm of the last step", steps[^1].GradientNorm, "G4");
        double[] seconds = [.. steps.Select(static step => step.Seconds).Where(double.IsFinite).Order()];
        if (seconds.Length > 0) Add("seconds a step (median)", seconds[seconds.Length / 2], "G3");
        return numbers;
    }

    private static XElement Facts(TrainingOptions options, IReadOnlyList<ReportedStep> steps, long? plannedBytes)
    {
        var table = new XElement("table");
        void Add(string name, string? value)
        {
            if (!string.IsNullOrEmpty(value)) table.Add(new XElement("tr", new XElement("th", name), new XElement("td", Clean(value))));
        }
        Add("method", Say($"{options.Method}, preset {options.Preset.ToString().ToLowerInvariant()}{MethodSettings(options)}"));
        Add("model", options.Model);
        Add("merged adapters", string.Join(", ", options.Adapter));
        Add("data", options.Data);
        foreach ((PoolOption pool, string file) in options.PoolFiles()) Add(pool.Name.Replace('_', ' '), file);
        Add("trained", options.Full
            ? "all parameters"
            : Say($"LoRA of rank {options.LoraRank}, alpha {options.LoraAlpha}, dropout {options.Dropout}, on {string.Join(", ", options.LoraTargets)}"));
        Add("started from", options.InitAdapter);
        Add("learning rate", Say($"{Svg.Number(options.LearningRate)}, {options.Schedule.ToString().ToLowerInvariant()}, warm-up over {options.WarmupRatio:P0} of the steps"));
        Add("optimizer", Say($"AdamW, weight decay {options.WeightDecay}, gradients clipped at {(options.Clip > 0 ? Svg.Number(options.Clip) : "no norm")}"));
        Add("batches", Say($"{options.Batch} samples of up to {options.MaxLength} tokens, {options.Accumulate} a step, {options.Epochs} epochs, seed {options.Seed}"));
        Add("device", Say($"{options.Device}, weights {options.Precision.ToString().ToLowerInvariant()}"));
        Add("memory", Memory(steps, plannedBytes));
        Add("time", Time(steps));
        foreach ((string name, string version) in options.Versions) Add(name, version);
        return table;
    }

    private static string MethodSettings(TrainingOptions options) => string.Concat(
        MethodCatalog.Require(options.Method).Options
            .Where(static option => option is not PoolOption)
            .Select(option => options.Settings.Find(option) is { } value ? $", {option.Name.Replace('_', ' ')} {option.Write(value)}" : ""));

    private static string? Memory(IReadOnlyList<ReportedStep> steps, long? plannedBytes)
    {
        double[] peaks = [.. steps.Select(static step => step.PeakBytes).Where(double.IsFinite)];
        if (peaks.Length == 0) return null;
        string used = Say($"{peaks.Max() / MiB:F1} MiB at most on the device");
        return plannedBytes is { } planned ? Say($"{used}, {planned / MiB:F1} MiB planned ({peaks.Max() / planned:P1})") : used;
    }

    private static string? Time(IReadOnlyList<ReportedStep> steps)
    {
        double[] seconds = [.. steps.Select(static step => step.Seconds).Where(double.IsFinite).Order()];
        if (seconds.Length == 0) return null;
        double tokens = steps.Where(static step => double.IsFinite(step.Seconds + step.Tokens)).Sum(static step => step.Tokens);
        double all = seconds.Sum();
        return Say($"{all:F1} s in steps, median {seconds[seconds.Length / 2] * 1e3:F1} ms a step, {tokens / Math.Max(all, 1e-9):F0} tokens/s");
    }

    private static IEnumerable<XElement> Charts(IReadOnlyList<ReportedStep> steps, IReadOnlyList<MethodMetric> metrics)
    {
        XElement Curve(string heading, string note, Func<ReportedStep, double> value) =>
            Section(heading, note, Svg.Curve(heading, [.. steps.Select(step => (step.Step, value(step)))]));
        IEnumerable<XElement> charts =
        [
            Curve("Loss", "The objective, in nats.", static step => step.Loss),
            Curve("Learning rate", "As used in each step.", static step => step.LearningRate),
            Curve("Gradient norm", "Before clipping, over the tensors that have a gradient.", static step => step.GradientNorm),
            Curve("Time per step", "Seconds.", static step => step.Seconds),
        ];
        IEnumerable<XElement> numbers = metrics
            .Where(metric => steps.Any(step => double.IsFinite(step.Numbers.GetValueOrDefault(metric.Name, double.NaN))))
            .Select(metric => Curve(metric.Title, metric.Note, step => step.Numbers[metric.Name]));
        return [.. charts, .. numbers, .. metrics.Select(metric => Layers(steps, metric)).OfType<XElement>()];
    }

    /// <summary>A column for each step that has the metric, a row for each layer; null where no step has it.</summary>
    private static XElement? Layers(IReadOnlyList<ReportedStep> steps, MethodMetric metric)
    {
        (int Step, double[] Layers)[] columns =
            [.. steps.Where(step => step.Layers.ContainsKey(metric.Name)).Select(step => (step.Step, step.Layers[metric.Name]))];
        int layers = steps.SelectMany(static step => step.Layers.Values).Select(static values => values.Length).DefaultIfEmpty().Max();
        if (columns.Length == 0 || layers == 0) return null;
        bool isMask = metric.Kind == MetricKind.Layers;
        double most = isMask ? 1 : columns.SelectMany(static column => column.Layers).Where(double.IsFinite).DefaultIfEmpty(1).Max();
        (int, double[])[] full = [.. columns.Select(column => (column.Step, (double[])[.. column.Layers, .. new double[layers - column.Layers.Length]]))];
        string note = isMask ? metric.Note : Say($"{metric.Note} Full is {most:P1}.");
        return Section(metric.Title, note, Svg.HeatMap(metric.Title, full, Math.Max(most, double.Epsilon)));
    }

    private static XElement Section(string heading, string note, XElement chart) =>
        new("section", new XElement("h2", heading), new XElement("p", note), chart);

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>Paths may hold characters that no page may.</summary>
    private static string Clean(string text) => string.Concat(text.EnumerateRunes().Select(
        static rune => rune.IsBmp && !XmlConvert.IsXmlChar((char)rune.Value) ? "?" : rune.ToString()));
}
