using NativeVaccine.Models;

namespace NativeVaccine.Tests.Models;

public sealed class ProjectionTests
{
    [Theory]
    [InlineData("v_proj, q_proj", "q_proj v_proj")]
    [InlineData("qkv_proj,down_proj", "q_proj k_proj v_proj down_proj")]
    [InlineData("gate_up_proj", "gate_proj up_proj")]
    [InlineData("all-linear", "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj")]
    public void Fused_modules_stand_for_their_projections(string given, string expected) =>
        Assert.Equal(expected, string.Join(' ', Projections.ParseList(given).Select(static projection => projection.HuggingFaceName())));

    [Theory]
    [InlineData("qkv_proj,k_proj", "LoRA targets: 'k_proj' is given twice")]
    [InlineData("all-linear,qkv_proj", "LoRA targets: 'q_proj' is given twice")]
    [InlineData(",", "LoRA targets: none given; expected some of q_proj, ")]
    public void A_projection_is_given_once(string given, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<InputException>(() => Projections.ParseList(given)).Message, StringComparison.Ordinal);
}
