// An application that leans on the generated types wherever it can: that it compiles is the test of them.
import type { ApolloClient, ErrorLike } from '@apollo/client';
import type { ResultOf, VariablesOf } from '@graphql-typed-document-node/core';
import { type FragmentType, getFragmentData } from './generated/index.js';
import { AnyKind, type Changes, Create, List, One, SubjectRow } from './operations.js';

// Whether two types are the same, also in what may be null.
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(_holds?: T): void => {};

type Row = ResultOf<typeof SubjectRow>;
holds<Same<Row['name'], string>>();
holds<Same<Row['birthDate'], string | null>>();
holds<Same<Row['age'], string | null>>();
holds<Same<Row['createdAt'], string | null>>();
holds<Same<Row['metadata'], unknown>>();
holds<Same<Row['tags'], Array<string>>>();
holds<Same<Row['source'], 'BRAINSTEM' | 'HAUT_AI'>>();
holds<Same<Row['sex'], 'FEMALE' | 'MALE' | 'OTHER' | 'UNKNOWN' | null>>();
holds<Same<ResultOf<typeof Changes>['subjectChanged']['kind'], 'CLEARED' | 'CREATED' | 'DELETED' | 'UPDATED'>>();

function describe(fragment: FragmentType<typeof SubjectRow>): string {
  // @ts-expect-error A fragment's fields are masked until they are asked for.
  void fragment.name;
  const row = getFragmentData(SubjectRow, fragment);
  return `${row.name} (${row.source}, ${row.birthDate?.slice(0, 4) ?? 'no birth date'})`;
}

export interface Listed {
  lines: string[];
  hasMore: boolean;
  failing: string[];
  error: ErrorLike | undefined;
}

export async function list(client: ApolloClient, variables: VariablesOf<typeof List>): Promise<Listed> {
  const { data, error } = await client.query({ query: List, variables, errorPolicy: 'all' });
  const subjects = data?.subjects;
  return {
    lines: subjects?.edges?.map((edge) => describe(edge.node)) ?? [],
    hasMore: subjects?.pageInfo?.hasNextPage ?? false,
    failing: subjects?.sources?.filter(({ status }) => status === 'FAILING').map(({ source }) => source) ?? [],
    error,
  };
}

export async function projectsOf(client: ApolloClient, by: VariablesOf<typeof One>['by']): Promise<string[]> {
  const { data } = await client.query({ query: One, variables: { by } });
  // @ts-expect-error A subject that is not there is null.
  void data?.subject.id;
  return data?.subject?.projects?.map(({ name }) => name) ?? [];
}

export async function names(client: ApolloClient, ids: string[]): Promise<Array<string | null>> {
  const { data } = await client.query({ query: AnyKind, variables: { ids } });
  return (data?.nodes ?? []).map((node) => {
    if (node === null) return null;
    return node.__typename === 'Subject' ? node.name : node.__typename;
  });
}

export async function create(client: ApolloClient, input: VariablesOf<typeof Create>['input']): Promise<string> {
  const { data } = await client.mutate({ mutation: Create, variables: { input } });
  const { subject, userErrors } = data?.subjectCreate ?? { subject: null, userErrors: [] };
  return subject ? describe(subject) : userErrors.map(({ code, field }) => `${code} ${field?.join('.')}`).join();
}

// Exactly one of the sources, and of the ways to name a subject.
export const inputs = {
  person: { hautAi: { name: 'Typed', datasetId: 'x', metadata: { any: ['JSON'] }, birthDate: '1990-01-01' } },
  animal: { brainStem: { name: 'typed', sex: 'MALE', genotype: null } },
  // @ts-expect-error Two of the sources.
  both: { hautAi: { name: 'a' }, brainStem: { name: 'b' } },
  // @ts-expect-error None of them.
  none: {},
  // @ts-expect-error No such field.
  unknown: { hautAi: { nickname: 'a' } },
  // @ts-expect-error No such value.
  value: { brainStem: { sex: 'male' } },
} satisfies Record<string, VariablesOf<typeof Create>['input']>;

export const keys = {
  id: { id: 'x' },
  hautAi: { hautAi: { subjectId: 'x' } },
  // @ts-expect-error Two of the ways.
  two: { id: 'x', brainStem: 'y' },
} satisfies Record<string, VariablesOf<typeof One>['by']>;
