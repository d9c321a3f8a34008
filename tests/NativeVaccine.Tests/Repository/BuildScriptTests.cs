using System.Management.Automation.Language;

namespace NativeVaccine.Tests.Repository;

/// <summary>build.ps1 is read by PowerShell's own parser: it cannot be run everywhere, but it must be well-formed and stay a thin caller.</summary>
public sealed class BuildScriptTests
{
    private static readonly string ScriptPath = Path.Combine(Fixtures.RepositoryRoot, "build.ps1");

    private static ScriptBlockAst Script()
    {
        ScriptBlockAst script = Parser.ParseFile(ScriptPath, out _, out ParseError[] errors);
        Assert.Empty(errors.Select(static error => $"{error.Extent.StartLineNumber}: {error.Message}"));
        return script;
    }

    [Fact]
    public void EveryTaskOfTheParameterHasItsBranch()
    {
        ScriptBlockAst script = Script();
        ParameterAst task = script.ParamBlock.Parameters.Single(static parameter => parameter.Name.VariablePath.UserPath == "Task");
        AttributeAst allowed = task.Attributes.OfType<AttributeAst>().Single(static attribute => attribute.TypeName.Name == "ValidateSet");
        var offered = allowed.PositionalArguments.Cast<StringConstantExpressionAst>().Select(static text => text.Value).Order();

        var branches = script.FindAll(static node => node is SwitchStatementAst, searchNestedScriptBlocks: true).Cast<SwitchStatementAst>().Single();
        var handled = branches.Clauses.Select(static clause => ((StringConstantExpressionAst)clause.Item1).Value).Order();
        Assert.Equal(offered, handled);
    }

    [Fact]
    public void ItCallsOnlyCMakeAndDotnet()
    {
        var tools = Script().FindAll(static node => node is CommandAst, searchNestedScriptBlocks: true).Cast<CommandAst>()
            .Where(static command => command.GetCommandName() == "Invoke-Tool")
            .Select(static command => ((StringConstantExpressionAst)command.CommandElements[1]).Value);
        Assert.Equal(["cmake", "ctest", "dotnet"], tools.Distinct().Order());
    }

    [Fact]
    public void PresetsAreThoseOfCMake()
    {
        ParameterAst preset = Script().ParamBlock.Parameters.Single(static parameter => parameter.Name.VariablePath.UserPath == "Preset");
        AttributeAst allowed = preset.Attributes.OfType<AttributeAst>().Single(static attribute => attribute.TypeName.Name == "ValidateSet");
        var offered = allowed.PositionalArguments.Cast<StringConstantExpressionAst>().Select(static text => text.Value).Order();

        using var presets = System.Text.Json.JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.RepositoryRoot, "CMakePresets.json")));
        var names = presets.RootElement.GetProperty("configurePresets").EnumerateArray().Select(static entry => entry.GetProperty("name").GetString()!).Order();
        Assert.Equal(names, offered);
    }
}
