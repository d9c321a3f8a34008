using System.Text.Json;
using NativeVaccine.Chat;
using NativeVaccine.IO;

namespace NativeVaccine.Data;

/// <summary>An instruction, what it is about (may be empty), and the answer to learn.</summary>
public sealed record AlpacaRecord(string Instruction, string Input, string Output)
{
    private const string Prompt = "instruction and input (optional)";
    private const string WithOutput = "instruction, input (optional) and output";

    /// <summary>The messages before the instruction, where the prompt is a conversation.</summary>
    public IReadOnlyList<ChatMessage> Earlier { get; init; } = [];

    /// <summary>
    /// What kinds of harm the question is of, where the record says so in <c>category</c>: a name or a number, a list of them, or as BeaverTails
    /// has it an object with true for each.
    /// </summary>
    public IReadOnlyList<string> Categories { get; init; } = [];

    /// <summary>Reads instruction, input (optional) and output of a JSON object.</summary>
    /// <param name="record">The object.</param>
    /// <param name="where">File and record, for messages.</param>
    /// <param name="outputRequired">False where only the prompt is wanted.</param>
    internal static AlpacaRecord Read(JsonElement record, string where, bool outputRequired)
    {
        Require("instruction");
        if (outputRequired) Require("output");
        return new AlpacaRecord(
            JsonRecord.RequiredText(record, "instruction", where),
            JsonRecord.OptionalText(record, "input", where) ?? "",
            JsonRecord.OptionalText(record, "output", where) ?? "")
        {
            Categories = CategoriesOf(record),
        };

        void Require(string field)
        {
            if (JsonRecord.Optional(record, field) is null)
                throw RecordForms.Missing(record, field, where, outputRequired ? WithOutput : Prompt);
        }
    }

    /// <summary>The <see cref="Categories"/> of a JSON object; none where it does not say.</summary>
    internal static IReadOnlyList<string> CategoriesOf(JsonElement record) =>
        JsonRecord.Optional(record, "category") is { } category ? JsonRecord.NameOrNames(category) : [];
}
