using NativeVaccine.Chat;
using NativeVaccine.Tokenization;

namespace NativeVaccine.Data;

/// <summary>Turns a record into the text that the model is asked to continue.</summary>
public abstract class PromptTemplate
{
    private protected PromptTemplate() { }

    /// <summary>Selects the chat template of the model's own folder.</summary>
    public const string Chat = "chat";

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

    /// <summary>Those that need no model.</summary>
    public static IReadOnlyList<PromptTemplate> All { get; } = [Alpaca, StanfordAlpaca, None];

    /// <summary>The name by which the command line selects this template.</summary>
    public abstract string Name { get; }

    /// <summary>The template with this name.</summary>
    /// <exception cref="InputException">There is none of this name.</exception>
    public static PromptTemplate Parse(string name) => All.FirstOrDefault(template => template.Name == name)
        ?? throw new InputException(
            $"unknown prompt template '{name}': expected {string.Join(", ", All.Select(static template => template.Name))}, {Chat}, or the text of a JSON file");

    /// <summary>The template that an option names, for a model.</summary>
    /// <param name="value">A name; or the JSON text of prefixes and suffixes, as <see cref="ChatTemplate.ReadFile"/> gives it.</param>
    /// <param name="folder">The model's folder, which may hold a chat template.</param>
    /// <param name="tokenizer">The model's.</param>
    /// <param name="notice">Told in a line which chat template the model has.</param>
    /// <exception cref="InputException">There is none of this name, or it cannot be used.</exception>
    public static PromptTemplate Open(string value, string folder, Tokenizer tokenizer, Action<string>? notice = null)
    {
        if (value.StartsWith('{')) return ChatTemplate.OfJson(value, tokenizer);
        if (value != Chat) return Parse(value);
        var template = ChatTemplate.OfModel(folder, tokenizer);
        notice?.Invoke($"{folder}: --template {template.Name}");
        return template;
    }

    /// <summary>The prompt for an instruction and its input, which may be empty.</summary>
    public abstract string Prompt(string instruction, string input);

    /// <summary>The prompt of a record.</summary>
    /// <exception cref="InputException">It is a conversation, for which the template has no form.</exception>
    public virtual string Prompt(AlpacaRecord record) =>
        record.Earlier.Count == 0 ? Prompt(record.Instruction, record.Input) : throw NoConversations();

    /// <summary>The prompt of a record in tokens.</summary>
    /// <exception cref="InputException">It is a conversation, for which the template has no form.</exception>
    public virtual int[] Encode(Tokenizer ofModel, AlpacaRecord record) => ofModel.Encode(Prompt(record));

    /// <summary>What of a prompt people may have written.</summary>
    public virtual string TextOf(AlpacaRecord record) => Prompt(record);

    /// <summary>The refusal of a conversation.</summary>
    internal InputException NoConversations() =>
        new($"a conversation of messages has no form in --template {Name}: expected --template {Chat}, or a JSON file of prefixes and suffixes");

    private sealed class Named(string name, Func<string, string> withoutInput, Func<string, string, string> withInput) : PromptTemplate
    {
        public override string Name => name;

        public override string Prompt(string instruction, string input) =>
            input.Length == 0 ? withoutInput(instruction) : withInput(instruction, input);
    }
}
