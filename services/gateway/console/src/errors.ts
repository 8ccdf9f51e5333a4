// Whatever went wrong on the way to the gateway or behind it.

interface ErrorBody {
  error?: { message?: string; type?: string; param?: string | null; code?: string | null };
}

/** A refusal or a failure, in words that people can act on. */
export class ApiError extends Error {
  /** Of HTTP; 0 where nothing answered. */
  readonly status: number;
  /** The field that has to be mended; empty where it is none. */
  readonly param: string;
  readonly requestId: string;
  /** A word for the reason; empty where there is none. */
  readonly code: string;
  /** `conflict_error` where somebody else was faster, `failed_precondition_error` where something
   * stands in the way, and others as OpenAI has them; empty where nobody told. */
  readonly kind: string;

  constructor(message: string, status: number, param = "", requestId = "", code = "", kind = "") {
    super(message);
    this.status = status;
    this.param = param;
    this.requestId = requestId;
    this.code = code;
    this.kind = kind;
  }

  /** From a body in OpenAI's shape, or whatever came instead. */
  static from(body: unknown, status: number, requestId = ""): ApiError {
    const error = (body as ErrorBody | null)?.error;
    const { message = "", param, code, type } = error ?? {};
    return new ApiError(message, status, param ?? "", requestId, code ?? "", type);
  }
}

/** Whether somebody stopped it on purpose. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}
