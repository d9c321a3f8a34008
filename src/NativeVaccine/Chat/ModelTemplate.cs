using System.Text.Json;
using NativeVaccine.IO;

namespace NativeVaccine.Chat;

/// <summary>Finds the chat template of a model folder: chat_template.jinja, which wins in transformers 5, or tokenizer_config.json.</summary>
internal static class ModelTemplate
{
    private const string FileName = "chat_template.jinja";
    private const string ConfigurationName = "tokenizer_config.json";
    private const string Field = "chat_template";
    private const string WayOut = "or --template FILE, a JSON file of prefixes and suffixes (docs/chat.md)";

    /// <summary>The form of the folder's template.</summary>
    /// <exception cref="InputException">There is none, or it is not known.</exception>
    public static ChatForm Find(string folder)
    {
        (string text, string source) = Read(folder)
            ?? throw new InputException($"{folder}: no chat template: expected {FileName}, or {Field} in {ConfigurationName}, {WayOut}");
        string fingerprint;
        try
        {
            fingerprint = JinjaFingerprint.Of(text);
        }
        catch (InputException exception)
        {
            throw new InputException($"{source}: {exception.Message}: expected a Jinja template", exception);
        }
        if (KnownTemplates.Find(fingerprint) is not { } form)
        {
            throw new InputException(
                $"{source}: this chat template is not known (fingerprint {fingerprint}): {KnownTemplates.Likeness(text)}; expected a published one, {WayOut}");
        }
        return form.Refused is { } why ? throw new InputException($"{source}: the chat template of {form.Name} {why}; expected another, {WayOut}") : form;
    }

    private static (string Text, string Source)? Read(string folder)
    {
        string file = Path.Combine(folder, FileName);
        if (File.Exists(file)) return (System.Text.Encoding.UTF8.GetString(InputFile.ReadText(file).Span), file);
        string configuration = Path.Combine(folder, ConfigurationName);
        if (!File.Exists(configuration)) return null;
        using JsonDocument document = JsonFile.ParseObject(InputFile.ReadText(configuration), configuration);
        string where = $"{configuration}: {Field}";
        return JsonRecord.Optional(document.RootElement, Field) switch
        {
            null => null,
            { ValueKind: JsonValueKind.Array } list => (Default(list, where), where),
            _ => (JsonRecord.RequiredText(document.RootElement, Field, configuration), where),
        };
    }

    /// <summary>Several templates with names: the one for conversations is called default.</summary>
    private static string Default(JsonElement list, string where)
    {
        foreach (JsonElement each in list.EnumerateArray())
        {
            JsonRecord.RequireObject(each, where);
            if (JsonRecord.RequiredText(each, "name", where) == "default") return JsonRecord.RequiredText(each, "template", where);
        }
        throw new InputException($"{where}: none of its templates is called default");
    }
}
