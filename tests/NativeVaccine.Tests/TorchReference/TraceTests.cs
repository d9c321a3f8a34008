using System.Text.Json;
using NativeVaccine.TorchReference;

namespace NativeVaccine.Tests.TorchReference;

/// <summary>The reference trainer follows the runs of the methods' authors, step by step.</summary>
public sealed class TraceTests
{
    // The others of tests/fixtures/traces pass too, but take minutes here: the engine follows each of them in Training/TraceTests.
    [Theory]
    [InlineData("tvaccine-micro")]
    public void EveryStepIsTheAuthors(string name)
    {
        string folder = Fixtures.Path("traces", name);
        using JsonDocument configuration = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "config.json")));
        JsonElement settings = configuration.RootElement;
        using ReferenceModel model = Load(settings.GetProperty("model").GetString()!, Path.Combine(folder, "initial"));
        var trainer = new ReferenceTrainer(model, settings.GetProperty("wd").GetDouble(), settings.GetProperty("clip").GetDouble());
        Dictionary<(string Pool, int Index), ReferenceSample> samples = Lines(folder, "samples.jsonl").ToDictionary(
            line => (line.GetProperty("pool").GetString()!, line.GetProperty("index").GetInt32()),
            line => new ReferenceSample(Integers(line, "input_ids"), Integers(line, "labels")));

        foreach ((JsonElement replay, JsonElement expected) in Lines(folder, "replay.jsonl").Zip(Lines(folder, "steps.jsonl")))
        {
            var comparison = new StepComparison(settings, expected);
            if (replay.TryGetProperty("probe_samples", out _))
            {
                (double loss, double[] norms) = trainer.Probe(samples[("harmful", Integers(replay, "probe_samples").Single())]);
                comparison.Probe(loss, norms);
            }
            ReferenceSample[] batch = [.. Integers(replay, "samples").Select(index => samples[("align", index)])];
            comparison.Step(Step(trainer, settings, replay, batch, expected.GetProperty("learning_rate").GetDouble()));
        }

        double distance = StepComparison.Tolerance(settings, "final_adapter", 1e-3);
        foreach ((string key, ReferenceTensor final) in ReferenceLora.Load(Path.Combine(folder, "final")).Matrices)
        {
            double[] actual = model.Read(key);
            double difference = Math.Sqrt(actual.Zip(final.Values, (a, b) => (a - b) * (a - b)).Sum());
            Near.Equal(key, 0, difference, distance * Math.Sqrt(final.Values.Sum(value => (double)value * value)), 0);
        }
    }

    private static ReferenceStep Step(
        ReferenceTrainer trainer, JsonElement settings, JsonElement replay, ReferenceSample[] batch, double learningRate)
    {
        double rho = settings.GetProperty("rho").GetDouble();
        string method = settings.GetProperty("method").GetString()!;
        int[] layers = replay.TryGetProperty("active_layers", out _) ? Integers(replay, "active_layers") : [];
        return method switch
        {
            "sft" => trainer.SupervisedStep(batch, learningRate, ReferenceTrainer.EveryLora),
            "vaccine" => trainer.VaccineStep(batch, learningRate, rho),
            "tvaccine" => trainer.TVaccineStep(batch, learningRate, rho, layers, ReferenceTrainer.AttentionLoraOf(layers)),
            _ => trainer.TVaccineStep(batch, learningRate, rho, layers, ReferenceTrainer.LoraOf(layers)),
        };
    }

    private static ReferenceModel Load(string model, string adapter) => new(
        ReferenceConfiguration.Load(Fixtures.Path(model)), ReferenceWeights.Load(Fixtures.Path(model)), ReferenceLora.Load(adapter));

    private static IEnumerable<JsonElement> Lines(string folder, string file) =>
        File.ReadLines(Path.Combine(folder, file)).Select(line => JsonSerializer.Deserialize<JsonElement>(line));

    private static int[] Integers(JsonElement line, string name) =>
        [.. line.GetProperty(name).EnumerateArray().Select(value => value.GetInt32())];

    /// <summary>One line of steps.jsonl, and how near a run must come to it.</summary>
    private sealed class StepComparison(JsonElement settings, JsonElement expected)
    {
        /// <summary>A relative tolerance, or four times what float64 changed in the authors' own run, where that is larger.</summary>
        public static double Tolerance(JsonElement settings, string quantity, double relative) =>
            settings.GetProperty("float64_distance").TryGetProperty(quantity, out JsonElement distance)
                ? Math.Max(relative, 4 * distance.GetDouble())
                : relative;

        public void Probe(double loss, double[] norms)
        {
            Check("probe_loss", loss);
            JsonElement[] probed = [.. expected.GetProperty("probe_norms").EnumerateArray()];
            Assert.Equal(probed.Length, norms.Length);
            for (int layer = 0; layer < norms.Length; layer++)
                Near.Equal($"probe_norms[{layer}]", probed[layer].GetDouble(), norms[layer], 0, Tolerance(settings, "probe_norms", 1e-4));
        }

        public void Step(ReferenceStep step)
        {
            Check("loss", step.Loss);
            Check("gradient_norm", step.GradientNorm);
            Assert.Equal(expected.GetProperty("tensors_with_gradient").GetInt32(), step.TensorsWithGradient);
            if (!expected.TryGetProperty("pass1_loss", out _))
                return;
            Check("pass1_loss", step.Pass1Loss!.Value);
            Check("site_gradient_norm", step.SiteGradientNorm!.Value);
            JsonProperty[] sites = [.. expected.GetProperty("site_gradient_norms").EnumerateObject()];
            Assert.Equal(sites.Length, step.SiteGradientNorms.Count);
            foreach (JsonProperty site in sites)
            {
                double norm = step.SiteGradientNorms[int.Parse(site.Name, System.Globalization.CultureInfo.InvariantCulture)];
                Near.Equal($"site {site.Name}", site.Value.GetDouble(), norm, 0, Tolerance(settings, "site_gradient_norm", 1e-4));
            }
        }

        private void Check(string quantity, double actual)
        {
            string what = $"step {expected.GetProperty("step")}, {quantity}";
            Near.Equal(what, expected.GetProperty(quantity).GetDouble(), actual, 0, Tolerance(settings, quantity, 1e-4));
        }
    }
}
