using System.Text.Json;
using NativeVaccine.Tests.Models;

namespace NativeVaccine.Tests.Cli;

/// <summary>data prompts: the questions of published benchmarks, in the columns that their files have (the rows here are our own).</summary>
public sealed class DataPromptsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("harmful_behaviors.csv", "goal,target\n\"Fold it, please\",Sure\n", "Fold it, please|")]
    [InlineData("advbench.jsonl", """{"prompt":"Fold it","target":"Sure"}""", "Fold it|")]
    [InlineData("strongreject_dataset.csv", "category,source,forbidden_prompt\nDecor,custom,Paint it\n", "Paint it|Decor")]
    [InlineData("jbb.csv", "Index,Goal,Target,Behavior,Category,Source\n0,Write about gates,Sure,Gates,Decor,Original\n", "Write about gates|Decor")]
    [InlineData("xstest.csv", "id,prompt,type,label,focus,note\n1,How do I kill a process?,homonyms,safe,kill,\n", "How do I kill a process?|homonyms")]
    [InlineData("do-not-answer.jsonl", """{"id":1,"risk_area":"Decor","types_of_harm":"x","question":"Paint it?"}""", "Paint it?|Decor")]
    [InlineData("sorry.jsonl", """{"question_id":1,"category":7,"turns":["Paint it."],"prompt_style":"base"}""", "Paint it.|7")]
    [InlineData("or-bench.csv", "prompt,category\nPaint it?,decor\n", "Paint it?|decor")]
    [InlineData("numbers.jsonl", """{"prompt":"Paint it?","category":["decor",7]}""", "Paint it?|decor,7")]
    [InlineData("harmful_behaviors_custom.csv", ",goal,target,behavior,category,Original index\n0,Paint it,Sure,painting,Decor,3\n", "Paint it|Decor")] // PAIR's AdvBench
    [InlineData("goals.csv", "Goal,Category\nPaint it,Decor\n", "Paint it|Decor")]
    [InlineData("behaviors.jsonl", """{"Behavior":"Paint it"}""", "Paint it|")]
    [InlineData("artifacts.jsonl", """{"Goal":"Paint it","prompt":"Please paint it"}""", "Please paint it|")]
    [InlineData("alpaca.json", """[{"instruction":"Paint","input":"the gate","output":"no"}]""", "Paint+the gate|")]
    [InlineData("hb.jsonl", """{"prompt":"Write of it","context":"A gate.","category":"decor"}""", "A gate.\n\n---\n\nWrite of it|decor")]
    public void AQuestionAndItsCategoryAreFound(string name, string content, string expected) =>
        Assert.Equal([expected], Make(Write(name, content)).Select(Text));

    [Fact]
    public void HarmBenchAsksWithTheContextAndHasKinds()
    {
        string file = Write("harmbench_behaviors_text_all.csv", """
            Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID
            Paint the gate,standard,decor,,,paint
            Write of it,contextual,decor,context,"A gate,
            red.",write
            Sing it,copyright,songs,,,sing
            """);
        Assert.Equal(["Paint the gate|decor", "A gate,\nred.\n\n---\n\nWrite of it|decor", "Sing it|songs"], Make(file).Select(Text));
        Assert.Equal(["Paint the gate|decor"], Make(file, "--only", "standard").Select(Text));
    }

    /// <summary>What is not there, R's write.csv writes as NA, and Python's csv module as nan.</summary>
    [Theory]
    [InlineData("NA")]
    [InlineData("nan")]
    public void AContextThatIsNotThereIsNotAsked(string missing) => Assert.Equal(
        ["Paint it|decor"],
        Make(Write("a.csv", $"Behavior,FunctionalCategory,SemanticCategory,ContextString\nPaint it,standard,decor,{missing}\n")).Select(Text));

    [Theory]
    [InlineData("prompt,type,label,focus\na,homonyms,safe,x\nb,contrast_homonyms,unsafe,x\n")]
    [InlineData("id,type,prompt,focus,note\n1,homonyms,a,x,\n2,contrast_homonyms,b,x,\n")] // the first published file
    public void XSTestTellsSafeQuestionsFromUnsafe(string content)
    {
        string file = Write("xstest.csv", content);
        Assert.Equal(["a|homonyms"], Make(file, "--only", "safe").Select(Text));
        Assert.Equal(["b|contrast_homonyms"], Make(file, "--only", "unsafe").Select(Text));
    }

    [Fact]
    public void AnotherFieldIsTakenWhereOneIsNamed()
    {
        string file = Write("a.csv", "text,prompt,category\nA text,a prompt,decor\n");
        Assert.Equal(["A text|decor"], Make(file, "--field", "text").Select(Text));
        string capitals = Write("b.csv", "Category,Subcategory,Question\nDecor,Gates,Paint it\n");
        Assert.Equal(["Paint it|Decor"], Make(capitals, "--field", "Question").Select(Text));
    }

    [Theory]
    [InlineData("text,tag\na,b\n", "field 'prompt' is missing")]
    [InlineData("prompt,question\na,b\n", "has prompt and question: expected --field to say which is the question")]
    [InlineData("prompt,category\n\" \",b\n", "field 'prompt' is empty: expected a question")]
    [InlineData("goal,target\na,b\n", "nothing says which questions are safe: expected no --only", "--only", "safe")]
    [InlineData("goal,target\na,b\n", "field 'ask' is missing or null: expected --field to name the question", "--field", "ask")]
    public void WhatIsNoQuestionIsRefusedByName(string content, string expected, params string[] options) =>
        Assert.Contains(expected, Refused(Write("a.csv", content), options), StringComparison.Ordinal);

    [Fact]
    public void ConversationsOfSeveralTurnsAreRefused() =>
        Assert.Contains("'turns' is not a list of one text: expected a single question", Refused(Write("a.jsonl", """{"turns":["a","b"],"category":"1"}""")), StringComparison.Ordinal);

    /// <summary>From a published table to harmful shares by category.</summary>
    [Fact]
    public void AnswersAreJudgedByCategory()
    {
        string table = Write("a.csv", "category,source,forbidden_prompt\nDecor,custom,Paint it\nSongs,custom,Sing it\n"), json = folder.File("harmful.json");
        string[] harmful = ["evaluate", "harmful", "--model", Fixtures.Path("tiny-llama"), "--max-new-tokens", "4", "--json", json, "--prompts"];
        Assert.Contains("nvaccine data prompts makes them of tables", CommandLine.Run([.. harmful, table]).Error, StringComparison.Ordinal);
        string lines = Write("a.jsonl", """{"goal":"Paint it","target":"Sure"}""");
        Assert.Contains("AdvBench (goal, target), which is not read here (nvaccine data prompts makes prompts of it)", CommandLine.Run([.. harmful, lines]).Error, StringComparison.Ordinal);
        Make(table);
        CommandLine.Succeed([.. harmful, folder.File("made.json")]);
        using JsonDocument result = JsonDocument.Parse(File.ReadAllBytes(json));
        Assert.Equal(["Decor", "Songs"], result.RootElement.GetProperty("categories").EnumerateObject().Select(static category => category.Name));
    }

    private static string Text(JsonElement record)
    {
        string input = record.GetProperty("input").GetString()!;
        string categories = record.TryGetProperty("category", out JsonElement names) ? string.Join(',', names.EnumerateArray()) : "";
        return $"{record.GetProperty("instruction").GetString()}{(input.Length > 0 ? $"+{input}" : "")}|{categories}".ReplaceLineEndings("\n");
    }

    private string Write(string name, string content)
    {
        File.WriteAllText(folder.File(name), content);
        return folder.File(name);
    }

    private JsonElement[] Make(string file, params string[] options)
    {
        CommandLine.Succeed(["data", "prompts", "--from", file, .. options, "--out", folder.File("made.json")]);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(folder.File("made.json")));
        return [.. document.RootElement.Clone().EnumerateArray()];
    }

    private string Refused(string file, params string[] options)
    {
        CommandResult result = CommandLine.Run(["data", "prompts", "--from", file, .. options, "--out", folder.File("made.json")]);
        Assert.Equal(2, result.ExitCode);
        return result.Error;
    }
}
