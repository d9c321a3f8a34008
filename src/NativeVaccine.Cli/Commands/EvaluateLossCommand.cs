using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using NativeVaccine.Cli.Options;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.Engine;
using NativeVaccine.Evaluation;

namespace NativeVaccine.Cli.Commands;

/// <summary>Takes the loss of a model over a data set.</summary>
internal sealed class EvaluateLossCommand : ModelVerb
{
    private const int SamplesAtATime = 16;
    private const int DefaultMaxLength = 200;
    private readonly Option<string?> data =
        OptionKinds.Text("--data", "FILE", "Alpaca records or records of tokens (.json, .jsonl; without a suffix the content tells)");
    private readonly Option<string?> template =
        OptionKinds.Template("how a record becomes a prompt; that of --run, else alpaca unless given");
    private readonly Option<string?> labels = OptionKinds.Labels();
    private readonly Option<int?> maxLength =
        OptionKinds.WholeNumber("--max-length", "longer samples are cut to this many tokens; 200 unless given", 2);

    public EvaluateLossCommand(CommandContext context) : base(
        "loss",
        "Mean loss and perplexity over the answers of a data set",
        "nvaccine evaluate loss --model ./llama-2-7b --data ./test.jsonl --json loss.json",
        context)
    {
        data.Required = true;
        AddWithModel(data, template, labels, maxLength);
    }

    /// <inheritdoc/>
    protected override int Execute(LoadedModel model, ParseResult parsed)
    {
        PromptTemplate prompt = model.Template(parsed.GetValue(template), Terminal.Error.WriteLine);
        var form = new SampleForm(model.Tokenizer, prompt, parsed.GetValue(maxLength) ?? model.Selection.Run?.MaxLength ?? DefaultMaxLength)
        {
            Labels = OptionKinds.Word(parsed, labels, model.Selection.Run?.Labels ?? LabelScope.Answers),
            Positions = model.Configuration.MaximumPositions,
        };
        SampleSet samples = SampleReader.Read(parsed.GetRequiredValue(data)!, form);
        if (samples.Dropped > 0)
        {
            int all = samples.Dropped + samples.Samples.Count;
            Terminal.Error.WriteLine($"{samples.Source}: {samples.Dropped} of {all} samples have no label left and are not counted");
        }
        foreach (string notice in samples.Notices) Terminal.Error.WriteLine(notice);
        LossReport report = WithProgress(display => Evaluate(model, samples, display));
        string size = $"{report.Samples.Count} samples, {report.Samples.Sum(static sample => sample.Labels)} labels";
        JsonObject source = ResultSource.Of(parsed, [.. model.Describe(), new("template", prompt.Name), new("max_length", form.MaxLength)]);
        WriteJsonOr(parsed.GetValue(Json), ToJson(report, source), () => Terminal.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"mean loss {report.MeanLoss:F6} nats   perplexity {report.Perplexity:F4}   {size}")));
        return ExitCode.Success;
    }

    private LossReport Evaluate(LoadedModel model, SampleSet samples, ProgressDisplay display)
    {
        int atATime = Math.Min(SamplesAtATime, samples.Samples.Count);
        Session session = model.Start(
            new SessionOptions
            {
                MaxTokens = Batch.RequireTokens((long)atATime * samples.Samples.Max(static sample => sample.InputIds.Length)),
                MaxSamples = Math.Max(atATime, samples.Samples.Max(static sample => sample.PartLengths.Count)),
                LongestSample = samples.Samples.Max(static sample => sample.LongestPart),
            },
            display,
            Cancellation);
        return LossEvaluator.Evaluate(session, samples, display.Stage("evaluating"), Cancellation);
    }

    private static JsonObject ToJson(LossReport report, JsonObject source) => new()
    {
        ["mean_loss"] = JsonValues.Number(report.MeanLoss),
        ["perplexity"] = JsonValues.Number(report.Perplexity),
        ["source"] = source,
        ["samples"] = new JsonArray([.. report.Samples.Select(static sample => (JsonNode)new JsonObject
        {
            ["index"] = sample.Index,
            ["loss_sum"] = JsonValues.Number(sample.LossSum),
            ["labels"] = sample.Labels,
        })]),
    };
}
