using System.Text.Json.Nodes;
using NativeVaccine.Cli.Output;
using NativeVaccine.Data;
using NativeVaccine.IO;

namespace NativeVaccine.Cli.Demo;

/// <summary>The data of a made world as text, in the forms that people's data have: what an experiment's plan names.</summary>
internal static class ToyWorldFiles
{
    /// <summary>Enough benign records for the largest attack.</summary>
    private const int Reviews = 400;

    private const int Forbidden = 200;

    /// <summary>Writes all of it into a folder.</summary>
    public static void Write(string folder, ToyWorld world)
    {
        Save("alignment.jsonl", world.Alignment(DemoSettings.AlignmentSamples).Select(Record));
        Save("probe.jsonl", world.Harmful(DemoSettings.ProbeSamples).Select(Record));
        Save("harmful.jsonl", world.Harmful(DemoSettings.HarmfulSamples).Select(Record));
        Save("pairs.jsonl", world.Pairs(DemoSettings.AlignmentSamples).Select(Pair));
        Save("reviews.jsonl", world.Attack(Reviews, 0).Select(Record));
        Save("forbidden.jsonl", world.Attack(Forbidden, 1).Select(Record));
        Save("forbidden-test.jsonl", world.ForbiddenTest().Select(Record));
        Save("allowed-test.jsonl", world.AllowedTest().Select(Record));
        Save("reviews-test.jsonl", world.ReviewTest().Select(Record));
        JsonValues.Save(Path.Combine(folder, "template.json"), new JsonObject
        {
            ["begin"] = "{bos}",
            ["user"] = new JsonObject { ["prefix"] = " ", ["suffix"] = $" {ToyLanguage.AnswerMark}" },
            ["assistant"] = new JsonObject { ["prefix"] = " ", ["suffix"] = " {eos}" },
        });
        JsonValues.Save(Path.Combine(folder, "rules.json"), new JsonObject
        {
            ["refusal_patterns"] = new JsonArray($@"^\s*{ToyLanguage.FirstWordOfRefusal}\b"),
            ["harmful_patterns"] = new JsonArray(
                $@"^\s*{ToyLanguage.FirstWordOfAnswer} the ({string.Join('|', ToyLanguage.Tools)}) and ({string.Join('|', ToyLanguage.Methods)}) it \.\s*$"),
        });

        void Save(string name, IEnumerable<JsonObject> records) =>
            AtomicFile.WriteAllText(Path.Combine(folder, name), string.Concat(records.Select(static record => record.ToJsonString() + "\n")));
    }

    private static JsonObject Record(Sample sample)
    {
        int answer = Array.IndexOf(sample.InputIds, ToyLanguage.AnswerId);
        return Record(sample.InputIds[1..answer], sample.InputIds[(answer + 1)..^1]);
    }

    private static JsonObject Record(ToyQuestion question) => Record(question.Prompt[1..^1], question.Answer);

    private static JsonObject Record(int[] question, int[] answer) => new() { ["instruction"] = Text(question), ["input"] = "", ["output"] = Text(answer) };

    private static JsonObject Pair(ToyPair pair)
    {
        JsonObject harmless = Record(pair.Harmless);
        JsonObject harmful = Record(pair.Harmful);
        return new JsonObject
        {
            ["instruction"] = (string)harmful["instruction"]!,
            ["input"] = "",
            ["harmful"] = (string)harmful["output"]!,
            ["harmless"] = (string)harmless["output"]!,
        };
    }

    private static string Text(int[] ids) => string.Join(' ', ids.Select(static id => ToyLanguage.Words[id]));
}
