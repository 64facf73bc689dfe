/** @file Devices from text, with PyTorch's checks. Upstream: c10/core/Device.cpp. Spec: none. */
import { OperatorError } from "../base/errors.ts";
import { Device } from "../tensor/tensor.ts";

const TYPES = [
  "cpu",
  "cuda",
  "ipu",
  "xpu",
  "mkldnn",
  "opengl",
  "opencl",
  "ideep",
  "hip",
  "ve",
  "fpga",
  "maia",
  "xla",
  "lazy",
  "vulkan",
  "mps",
  "meta",
  "hpu",
  "mtia",
  "privateuseone",
];

/** The device that a string such as `cuda:1` names. @throws OperatorError with PyTorch's text. */
export function parseDevice(text: string): Device {
  if (text === "") throw new OperatorError("Device string must not be empty");
  const found = /^([a-zA-Z_]+)(?::(0|[1-9][0-9]*))?$/.exec(text);
  if (!found) throw new OperatorError(`Invalid device string: '${text}'`);
  const type = found[1]!;
  if (!TYPES.includes(type)) {
    throw new OperatorError(`Expected one of ${TYPES.join(", ")} device type at start of device string: ${type}`);
  }
  return new Device(type, found[2] === undefined ? undefined : Number(found[2]));
}
