"""What every neural network says of itself; its code is in the file of its name.

Here, apart from the code, because whoever lists models must not wait for torch to be imported.
"""

from __future__ import annotations

from .base import Card, Param
from .layers.size import SizeRule

LAMA = Card(
    name="lama",
    title="LaMa",
    sentence="Continues structures and large areas of photographs; the first to try on big holes.",
    paper="Suvorov et al. 2022, Resolution-robust large mask inpainting with Fourier convolutions",
    licence="Apache-2.0",
    good_at=("photo", "texture"),
    params=(
        Param(
            "refine",
            "bool",
            False,
            "Refine",
            "Sharpens the fill of a large picture step by step; many times slower.",
        ),
    ),
    context_factor=0.25,  # of 512 px the 128 px that other programs give it; more costs twice the time
    context_minimum=128,
    network=True,
    max_pixels=1024 * 1024,
    size=SizeRule(multiple=8, minimum=16, pad="symmetric"),
    memory=700.0,
    time=10.0,
)

PCONV = Card(
    name="pconv",
    title="Partial convolutions",
    sentence="Fills scratches, spots and irregular holes of photographs from their rims inwards.",
    paper="Liu et al. 2018, Image inpainting for irregular holes using partial convolutions",
    licence="none stated by the author of the published weights",
    good_at=("photo", "scratch"),
    context_factor=1.0,
    context_minimum=64,
    network=True,
    max_pixels=512 * 512,
    size=SizeRule(multiple=128),
)

DEEPCREAMPY = Card(
    name="deepcreampy",
    title="DeepCreamPy",
    sentence="Redraws what a bar, or with the weights for it a mosaic, covers in drawings.",
    paper="deeppomf 2018, DeepCreamPy; after Yu et al. 2018, Generative inpainting with contextual attention",
    licence="AGPL-3.0-or-later",
    good_at=("comic",),
    context_factor=0.5,
    context_minimum=96,
    network=True,
    max_pixels=512 * 512,
    variants=("bar", "mosaic"),
    size=SizeRule(multiple=8, minimum=256),
)

SC_FEGAN = Card(
    name="sc-fegan",
    title="SC-FEGAN",
    sentence="Fills holes of faces by the lines and colours that are drawn over them.",
    paper="Jo and Park 2019, SC-FEGAN: Face editing GAN with user's sketch and color",
    licence="CC-BY-NC-4.0",
    good_at=("face",),
    guidance=("sketch", "colour"),
    context_factor=1.0,
    context_minimum=128,
    network=True,
    max_pixels=512 * 512,
    size=SizeRule(multiple=128),
)

DEEPFILL = Card(
    name="deepfill",
    title="DeepFill v2",
    sentence="Fills holes of any shape in photographs, with patches from elsewhere in the picture.",
    paper="Yu et al. 2019, Free-form image inpainting with gated convolution",
    licence="CC-BY-NC-4.0",
    good_at=("photo", "face"),
    context_factor=1.0,
    context_minimum=64,
    network=True,
    max_pixels=512 * 680,
    variants=("tensorflow", "networks-tf", "pytorch"),
    size=SizeRule(multiple=8, crop=True),
)

DEEPFILL_V1 = Card(
    name="deepfill-v1",
    title="DeepFill v1",
    sentence="Fills rectangular holes in photographs, with patches from elsewhere in the picture.",
    paper="Yu et al. 2018, Generative image inpainting with contextual attention",
    licence="CC-BY-NC-4.0",
    good_at=("photo", "face"),
    context_factor=1.0,
    context_minimum=64,
    network=True,
    max_pixels=512 * 680,
    size=SizeRule(multiple=8, crop=True),
)

MIGAN = Card(
    name="migan",
    title="MI-GAN",
    sentence="Fills small and middling holes of photographs, faster than any other network here.",
    paper="Sargsyan et al. 2023, MI-GAN: A simple baseline for image inpainting on mobile devices",
    licence="MIT",
    good_at=("photo", "face"),
    context_factor=1.0,
    context_minimum=128,
    network=True,
    max_pixels=512 * 512,
    size=SizeRule(square=512, stretch=True),
)

CONTEXT_ENCODER = Card(
    name="context-encoder",
    title="Context encoder",
    sentence="Guesses what a hole in a photograph may hold, blurred; a first guess for patch synthesis.",
    paper="Pathak et al. 2016, Context encoders: Feature learning by inpainting",
    licence="UC Berkeley's, for educational, research and not-for-profit purposes",
    good_at=("photo",),
    context_factor=0.65,
    context_minimum=64,
    network=True,
    variants=("relu", "elu"),
)

PATCH_SYNTHESIS = Card(
    name="patch-synthesis",
    title="Neural patch synthesis",
    sentence="Works the textures of the picture into a first guess that another model makes; slow.",
    paper="Yang et al. 2017, High-resolution image inpainting using multi-scale neural patch synthesis",
    licence="of the VGG weights that it uses",
    good_at=("photo", "texture"),
    params=(
        Param(
            "content",
            "choice",
            "auto",
            "First guess",
            "Which model makes it; auto takes the context encoder if its weights are there, else PatchMatch.",
            choices=("auto", "context-encoder", "patchmatch", "smooth", "lama", "migan"),
        ),
        Param(
            "iterations",
            "int",
            50,
            "Iterations",
            "At every scale, and so the time; the authors take 100, and little happens after 30.",
            minimum=1,
            maximum=1000,
        ),
        Param(
            "fidelity",
            "float",
            1.0,
            "Fidelity",
            "How closely the fill keeps to the first guess; take less for a blurred one.",
            minimum=0,
            maximum=20,
        ),
        Param(
            "rotation",
            "float",
            7.5,
            "Rotation",
            "Textures are also taken from the picture turned by this, both ways; 0 is quicker.",
            minimum=0,
            maximum=45,
            unit="°",
        ),
        Param(
            "scaling",
            "float",
            5.0,
            "Scaling",
            "Textures are also taken from the picture larger and smaller by this; 0 is quicker.",
            minimum=0,
            maximum=50,
            unit="%",
        ),
        Param(
            "fine",
            "bool",
            False,
            "Fine texture",
            "Compares smaller pieces as well; takes more time and memory.",
        ),
        Param(
            "optimiser",
            "choice",
            "l-bfgs",
            "Optimiser",
            "L-BFGS is the authors' choice; Adam takes less memory.",
            choices=("l-bfgs", "adam"),
        ),
    ),
    takes_source=True,
    context_factor=1.0,
    context_minimum=128,
    network=True,
    max_pixels=1024 * 1024,
)

FINISHER = Card(
    name="finisher",
    title="Finisher",
    sentence="PatchMatch's detail with the smooth fill's shading; for photographs and paintings.",
    paper="Burt and Adelson 1983, A multiresolution spline, with learnt weights",
    licence="MIT",
    good_at=("photo", "texture"),
    takes_source=True,
    context_factor=1.0,
    context_minimum=128,
    network=True,
)

LINER = Card(
    name="liner",
    title="Liner",
    sentence="Continues the lines that the hole cuts, and fills along them with pieces of the picture.",
    paper="Nazeri et al. 2019, EdgeConnect; Hertzmann et al. 2001, Image analogies",
    licence="MIT",
    good_at=("comic", "photo"),
    takes_source=True,
    context_factor=1.0,
    context_minimum=128,
    network=True,
    max_pixels=1024 * 1024,
)

CARDS = {
    card.name: card
    for card in (
        LAMA,
        PCONV,
        DEEPCREAMPY,
        SC_FEGAN,
        DEEPFILL,
        DEEPFILL_V1,
        MIGAN,
        CONTEXT_ENCODER,
        PATCH_SYNTHESIS,
        FINISHER,
        LINER,
    )
}
