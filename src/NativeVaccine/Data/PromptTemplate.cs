namespace NativeVaccine.Data;

/// <summary>Turns a record into the text that the model is asked to continue.</summary>
public abstract class PromptTemplate
{
    private PromptTemplate() { }

    private const string AlpacaHead =
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n";

    private const string AlpacaHeadWithInput =
        "Below is an instruction that describes a task, paired with an input that provides further context. "
        + "Write a response that appropriately completes the request.\n\n";

    /// <summary>
    /// Stanford Alpaca's prompt with a line break after "### Response:", as T-Vaccine's train.py has it (docs/methods.md 1.8).
    /// </summary>
    public static PromptTemplate Alpaca { get; } = new Named(
        "alpaca",
        static instruction => $"{AlpacaHead}### Instruction:\n{instruction}\n\n### Response:\n",
        static (instruction, input) =>
            $"{AlpacaHeadWithInput}### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n");

    /// <summary>Stanford Alpaca's prompt as its train.py and Vaccine's have it: without that line break.</summary>
    public static PromptTemplate StanfordAlpaca { get; } = new Named(
        "stanford-alpaca",
        static instruction => $"{AlpacaHead}### Instruction:\n{instruction}\n\n### Response:",
        static (instruction, input) =>
            $"{AlpacaHeadWithInput}### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:");

    /// <summary>The instruction as it is; an input follows on a line of its own.</summary>
    public static PromptTemplate None { get; } = new Named(
        "none", static instruction => instruction, static (instruction, input) => $"{instruction}\n{input}");

    /// <summary>All of them.</summary>
    public static IReadOnlyList<PromptTemplate> All { get; } = [Alpaca, StanfordAlpaca, None];

    /// <summary>The name by which the command line selects this template.</summary>
    public abstract string Name { get; }

    /// <summary>The template with this name.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static PromptTemplate Parse(string name) => All.FirstOrDefault(template => template.Name == name)
        ?? throw new InputException(
            $"unknown prompt template '{name}': expected {string.Join(", ", All.Select(static template => template.Name))}");

    /// <summary>The prompt for an instruction and its input, which may be empty.</summary>
    public abstract string Prompt(string instruction, string input);

    private sealed class Named(string name, Func<string, string> withoutInput, Func<string, string, string> withInput) : PromptTemplate
    {
        public override string Name => name;

        public override string Prompt(string instruction, string input) =>
            input.Length == 0 ? withoutInput(instruction) : withInput(instruction, input);
    }
}
