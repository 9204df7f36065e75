// A page of subjects as Relay's hooks take it: `usePaginationFragment`, `useMutation`, `useSubscription`.
declare function graphql(strings: TemplateStringsArray): unknown;

export const query = graphql`
  query SubjectListQuery($filter: SubjectFilter, $orderBy: SubjectOrder) {
    ...SubjectList_query @arguments(filter: $filter, orderBy: $orderBy)
  }
`;

export const list = graphql`
  fragment SubjectList_query on Query
  @refetchable(queryName: "SubjectListPaginationQuery")
  @argumentDefinitions(
    count: { type: "Int", defaultValue: 20 }
    cursor: { type: "String" }
    filter: { type: "SubjectFilter" }
    orderBy: { type: "SubjectOrder" }
  ) {
    subjects(first: $count, after: $cursor, filter: $filter, orderBy: $orderBy)
      @connection(key: "SubjectList_subjects", filters: ["filter", "orderBy"]) {
      edges {
        node {
          id
          ...SubjectListRow_subject
        }
      }
    }
  }
`;

export const row = graphql`
  fragment SubjectListRow_subject on Subject
  @refetchable(queryName: "SubjectListRowRefetchQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "String" }) {
    source
    name
    birthDate
    metadata
    hautAi {
      rawSex
    }
    procedures(first: $count, after: $cursor) @connection(key: "SubjectListRow_procedures") {
      edges {
        node {
          type
        }
      }
    }
  }
`;

export const remove = graphql`
  mutation SubjectListDeleteMutation($id: ID!, $connections: [ID!]!) {
    subjectDelete(id: $id) {
      deletedId @deleteEdge(connections: $connections) @deleteRecord
      userErrors {
        code
        message
        field
      }
    }
  }
`;

export const create = graphql`
  mutation SubjectListCreateMutation($input: SubjectCreateInput!, $connections: [ID!]!) {
    subjectCreate(input: $input) {
      subject @prependNode(connections: $connections, edgeTypeName: "SubjectEdge") {
        id
        ...SubjectListRow_subject
      }
      userErrors {
        code
        message
        field
      }
    }
  }
`;

export const changes = graphql`
  subscription SubjectListChangedSubscription {
    subjectChanged {
      kind
      id
      subject {
        ...SubjectListRow_subject
      }
    }
  }
`;
