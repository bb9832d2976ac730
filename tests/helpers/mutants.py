"""Small mistakes in a piece of code, one at a time: what a slip of the pen makes of a right answer."""

import ast
import copy

COMPARED = {ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt,), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt,),
            ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,)}
COMPUTED = {ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Div,), ast.Div: (ast.Mult,), ast.Pow: (ast.Mult,),
            ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,)}
NAMES = {"min": "max", "max": "min", "argmin": "argmax", "argmax": "argmin", "sum": "mean", "mean": "sum",
         "zeros_like": "ones_like", "zeros": "ones", "any": "all", "all": "any"}
DROPPED = {"clone", "abs", "sign", "sqrt", "square", "float", "softmax", "log_softmax", "clamp", "norm", "flatten", "round"}


def of(source):
    """[(what was changed, source)] of every mutant, in the order of the code."""
    tree = ast.parse(source)
    made = []
    for number, node in enumerate(ast.walk(tree)):
        for new in _changes(node):
            made.append((number, f"{_text(node)} -> {_text(new)}", new))
    changed = [(what, _replaced(tree, number, new)) for number, what, new in made]
    return _numbered([*changed, *_without_a_statement(tree)])


def _changes(node):
    """Nodes to put in the place of one."""
    match node:
        case ast.Compare(ops=[op]):
            return [_with(node, ops=[new()]) for new in COMPARED.get(type(op), ())]
        case ast.BinOp(op=op) | ast.AugAssign(op=op):
            return [_with(node, op=new()) for new in COMPUTED.get(type(op), ())]
        case ast.Constant(value=bool(value)):
            return [ast.Constant(not value)]
        case ast.Constant(value=int(value)):
            return [ast.Constant(value + 1), ast.Constant(value - 1)]
        case ast.Constant(value=float(value)):
            return [ast.Constant(value + 0.5)]
        case ast.UnaryOp(op=ast.USub() | ast.Invert() | ast.Not(), operand=operand):
            return [operand]
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in DROPPED and not isinstance(owner, ast.Name):
            return [owner, *_renamed(node, name)]
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in DROPPED:
            return [owner]
        case ast.Call(func=ast.Attribute(attr=name)):
            return _renamed(node, name)
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            return [_with(node, func=ast.Name(NAMES[name], ast.Load()))]
        case ast.IfExp(body=body, orelse=orelse):
            return [_with(node, body=orelse, orelse=body), body, orelse]
        case ast.Return(value=ast.Tuple(elts=[first, second, *rest])):
            return [_with(node, value=ast.Tuple([second, first, *rest], ast.Load()))]
    return []


def _renamed(node, name):
    return [_with(node, func=_with(node.func, attr=NAMES[name]))] if name in NAMES else []


def _with(node, **fields):
    new = copy.copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


def _replaced(tree, number, new):
    """The source with the node of that number, as ast.walk counts, replaced."""
    tree = copy.deepcopy(tree)
    old = list(ast.walk(tree))[number]
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, copy.deepcopy(new))
            elif isinstance(value, list) and any(part is old for part in value):
                setattr(parent, name, [copy.deepcopy(new) if part is old else part for part in value])
    return ast.unparse(ast.fix_missing_locations(tree))


def _without_a_statement(tree):
    """The source without each statement that is neither the last of its block nor a definition."""
    made = []
    for number, node in enumerate(ast.walk(tree)):
        body = getattr(node, "body", None)
        if not isinstance(body, list) or isinstance(node, ast.Module):
            continue
        for place, statement in enumerate(body):
            if len(body) > 1 and not isinstance(statement, (ast.Return, ast.FunctionDef)) and not _is_docstring(statement):
                changed = copy.deepcopy(tree)
                del list(ast.walk(changed))[number].body[place]
                made.append((f"without: {_text(statement)}", ast.unparse(changed)))
    return made


def _is_docstring(statement):
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _text(node):
    return " ".join(ast.unparse(node).split())[:90]


def _numbered(mutants):
    """Equal descriptions are told apart: "#2" is the second place with the same text."""
    seen, named = {}, []
    for what, source in mutants:
        seen[what] = seen.get(what, 0) + 1
        named.append((what if seen[what] == 1 else f"{what} #{seen[what]}", source))
    return named
