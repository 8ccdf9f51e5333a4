// svelte-check and the build read the same settings: warnings about accessibility are errors.
export default { compilerOptions: { runes: true } };
