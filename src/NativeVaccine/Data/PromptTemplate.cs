namespace NativeVaccine.Data;

/// <summary>Turns a record into the text that the model is asked to continue.</summary>
public abstract class PromptTemplate
{
    private PromptTemplate() { }

    /// <summary>The template of Stanford Alpaca, which T-Vaccine and its baselines use (methods.md 1.8).</summary>
    public static PromptTemplate Alpaca { get; } = new AlpacaTemplate();

    /// <summary>The instruction as it is; an input follows on a line of its own.</summary>
    public static PromptTemplate None { get; } = new NoTemplate();

    /// <summary>The name by which the command line selects this template.</summary>
    public abstract string Name { get; }

    /// <summary>The template with this name (alpaca or none).</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static PromptTemplate Parse(string name) => name switch
    {
        "alpaca" => Alpaca,
        "none" => None,
        _ => throw new InputException($"unknown prompt template '{name}': expected alpaca or none"),
    };

    /// <summary>The prompt for an instruction and its input, which may be empty.</summary>
    public abstract string Prompt(string instruction, string input);

    private sealed class AlpacaTemplate : PromptTemplate
    {
        public override string Name => "alpaca";

        public override string Prompt(string instruction, string input) => input.Length == 0
            ? "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
                + $"### Instruction:\n{instruction}\n\n### Response:\n"
            : "Below is an instruction that describes a task, paired with an input that provides further context. "
                + "Write a response that appropriately completes the request.\n\n"
                + $"### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n";
    }

    private sealed class NoTemplate : PromptTemplate
    {
        public override string Name => "none";

        public override string Prompt(string instruction, string input) =>
            input.Length == 0 ? instruction : $"{instruction}\n{input}";
    }
}
