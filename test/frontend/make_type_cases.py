"""Writes type_cases.json: annotations and signatures with what PyTorch makes of them. Run with PyTorch 2.13."""
import json, os, warnings, torch
warnings.simplefilter("ignore")

TYPES = """Foo;torch.Tensor;LongTensor;List[int];list[int];List[int, int];List;list;dict;Dict[str,int];dict[str,int];Dict[str];Dict[Tensor,int];
Tuple[()];tuple[int,str];Tuple[((1,2),)];Optional[int];Optional[int,str];Union[int,str];Union[int,None];int | str;int | None | str;Future[int];
torch.jit.Future[int];Await[int];torch.jit.Await[int];RRef[int];Foo[int];number;Scalar;None;NoneType;Final[int];BroadcastingList2[int];BroadcastingList2[float];
BroadcastingListx[int];BroadcastingList2[str];Optional[BroadcastingList2[int]];_size_2_t;'Foo';1;x+1;f(x);Device;torch.device;Generator;Any;Capsule;complex;
List[Foo];[int];typing.List[int];torch.dtype;Set[int];Callable;Optional[Tuple[int,int]];List[List[int]];Tuple;List[BroadcastingList2[int]];List[int | None];
int | x + 1;Tuple[int, ...];Stream;Dict[str, List[Tuple[int, Optional[Tensor]]]]""".replace("\n", "").split(";")
SIGNATURES = [
    "x: int = 1", "x: float=1.5", "x: str='a'", "x: Optional[int]=None", "x: List[int]=[]", "x: List[int]=[1,2]", "x: Optional[List[int]]=[]",
    "x: Tuple[int,int]=(1,2)", "x: int=True", "x: complex=1j", "x: float=-1.", "x, y: int", "x: int, *, y: int=3, z: float", "x=3", "x: float = 1",
    "x: int=1.5", "x: List[float]=[1,2]", "x: bool=1", "x: Optional[float]=1", "x: complex=1.0", "x: Dict[str,int]={}", "x: Tensor=1", "x: bool=False, y: str = 'é'",
]
out = []
for text in [f"x: {t}" for t in TYPES] + SIGNATURES:
    source = f"def f({text}):\n  return x\n"
    try:
        schema = torch.jit.CompilationUnit(source).get_functions()[0].schema
        args = [[a.name, a.type.annotation_str, a.N, a.kwarg_only, repr(a.default_value) if a.has_default_value() else None] for a in schema.arguments]
        out.append({"source": source, "args": args})
    except RuntimeError as error:
        # the stack of functions being compiled is the emitter's
        out.append({"source": source, "message": str(error).lstrip("\n").split("'defaults' is being")[0]})
with open(os.path.join(os.path.dirname(__file__), "type_cases.json"), "w") as file:
    json.dump(out, file, indent=1)
    file.write("\n")
